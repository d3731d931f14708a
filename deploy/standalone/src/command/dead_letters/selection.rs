//! Which dead letters a command is about.

use clap::Args;
use lychgate_common::{clock::Clock, event::EventId, store::EventFilter};

use crate::{cli::Moment, output::Usage};

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
