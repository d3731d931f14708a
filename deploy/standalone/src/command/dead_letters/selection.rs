//! Which dead letters a command is about.

use anyhow::bail;
use clap::Args;
use lychgate_common::{
    clock::Clock,
    event::EventId,
    status::Status,
    store::{EventFilter, Store},
};

use crate::{
    cli::Moment,
    output::{self, Usage},
};

/// Filters; all that are given must match.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Only this source's
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only those of one cause (see `dead-letters groups`)
    #[arg(long)]
    fingerprint: Option<String>,
    /// Only events received since then: a time like 2026-01-31T12:00:00Z, or an age like 90m, 2h, 3d
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only events received before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only this event; can be repeated
    #[arg(long, value_name = "ID")]
    id: Vec<EventId>,
    /// All dead letters: said in so many words, because no filter means nothing
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// The filter; nothing given means all of them.
    pub(super) fn filter(&self, clock: &Clock) -> EventFilter {
        EventFilter {
            source: self.source.clone(),
            kind: self.kind.clone(),
            status: None,
            fingerprint: self.fingerprint.clone(),
            ids: self.id.clone(),
            since: self.since.map(|since| since.on(clock)),
            until: self.until.map(|until| until.on(clock)),
        }
    }

    /// Says of every event that is named and is no dead letter what it is instead.
    ///
    /// # Errors
    /// Where none of them is one (`found` is how many match): there is nothing to do then.
    pub(super) async fn missed(&self, store: &Store, found: i64) -> anyhow::Result<()> {
        if i64::try_from(self.id.len()).is_ok_and(|named| named <= found) {
            return Ok(());
        }
        let mut missed = Vec::new();
        for id in &self.id {
            match store.event_line(*id).await?.map(|line| line.status) {
                None => missed.push(format!("there is no event {id} (or its retention has passed)")),
                Some(Status::Dead) => {}
                Some(status) => missed.push(format!("event {id} is no dead letter: it is {status}")),
            }
        }
        match (found, missed.is_empty()) {
            (_, true) => Ok(()),
            (0, false) => bail!("{}", missed.join("; ")),
            (_, false) => {
                missed.iter().for_each(output::aside);
                Ok(())
            }
        }
    }

    /// The filter of a deed: nothing given is a mistake.
    pub(super) fn some(&self, clock: &Clock) -> Result<EventFilter, Usage> {
        let filter = self.filter(clock);
        if filter == EventFilter::default() && !self.all {
            return Err(Usage(
                "say which: --id, --fingerprint, --source, --type, --since, --until or --all".to_owned(),
            ));
        }
        Ok(filter)
    }
}
