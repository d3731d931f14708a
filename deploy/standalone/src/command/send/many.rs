//! Many webhooks at once: sent side by side, told in sum.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use futures_util::{StreamExt, stream};
use lychgate_common::{
    settings::{OnLimit, Rate},
    source::Source,
    status::Status,
};

use super::{Sender, fate};
use crate::output;

/// Requests under way at once: enough to fill a gateway's group commits, few enough for any laptop.
const AT_ONCE: usize = 64;

/// Sends `count` events and says how often each answer, and each fate, came.
pub(super) async fn run(sender: Sender, id: &str, count: u32, wait: bool) -> anyhow::Result<()> {
    let sender = Arc::new(sender);
    if let Some(note) = slowed(&sender.source, count) {
        output::aside(note);
    }
    let started = Instant::now();
    let sent: Vec<_> = stream::iter(1..=count)
        .map(|number| {
            let (sender, id) = (Arc::clone(&sender), format!("{id}-{number}"));
            async move { sender.send(&id).await }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let took = started.elapsed();
    output::line(format_args!("{count} sent in {took:.2?}: {:.0}/s", f64::from(count) / took.as_secs_f64()));
    let (mut answers, mut events) = (BTreeMap::<String, u32>::new(), Vec::new());
    for result in &sent {
        let answer = match result {
            Ok(reply) if reply.header("idempotent-replayed") == Some("true") => format!("{} (duplicate)", reply.status),
            Ok(reply) => reply.status.to_string(),
            Err(error) => error.to_string(),
        };
        *answers.entry(answer).or_default() += 1;
        if let Ok(reply) = result {
            events.extend(reply.events());
        }
    }
    tell(&answers);
    let replies = || sent.iter().flatten();
    let accepted = replies().filter(|reply| reply.status.is_success() || reply.is_outcome()).count();
    if accepted != sent.len() {
        bail!("{} of {count} were not accepted", sent.len() - accepted);
    }
    let failed = replies().filter(|reply| !reply.status.is_success()).count();
    match wait {
        true => wait_for(&sender, events, started, count).await,
        false if failed > 0 => {
            bail!("{failed} of {count} were accepted and not processed; `{} dead-letters groups`", output::program())
        }
        false => Ok(()),
    }
}

/// What to know before so many are sent: from here on it is the source's rate limit that is measured.
fn slowed(source: &Source, count: u32) -> Option<String> {
    let rate = source.rate_limit().filter(|rate| count > rate.burst)?;
    let Rate { requests, per, burst, on_limit } = rate;
    let excess = match on_limit {
        OnLimit::Defer => {
            format!("accepted and deferred: about {:.0?} until the last is processed", behind(rate, count))
        }
        OnLimit::Reject => "refused with 429".to_owned(),
    };
    let name = source.name();
    Some(format!(
        "note: source `{name}` has a rate limit of {requests} in {per:?}, {burst} at once. What is above is {excess}.\n      \
         To try how fast the gateway is, write rate_limit = \"off\" into the table of `{name}`, and start it again."
    ))
}

/// How long a source's rate limit holds back the last of so many.
fn behind(rate: &Rate, count: u32) -> Duration {
    rate.per.saturating_mul(count.saturating_sub(rate.burst)) / rate.requests.max(1)
}

async fn wait_for(sender: &Arc<Sender>, events: Vec<String>, started: Instant, count: u32) -> anyhow::Result<()> {
    let deferred = sender.source.rate_limit().map_or(Duration::ZERO, |rate| behind(rate, count));
    let patience = fate::PATIENCE + deferred;
    let fates: Vec<_> = stream::iter(events)
        .map(|event| {
            let sender = Arc::clone(sender);
            async move { fate::wait(&sender, &event, patience, |_| {}).await }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    output::line(format_args!("all known after {:.2?}", started.elapsed()));
    let mut statuses = BTreeMap::<String, u32>::new();
    for fate in &fates {
        let status = fate.as_ref().map_or_else(ToString::to_string, |receipt| receipt.status.to_string());
        *statuses.entry(status).or_default() += 1;
    }
    tell(&statuses);
    let done = |fate: &Result<fate::Receipt, _>| matches!(fate, Ok(it) if it.status != Status::Dead);
    match fates.iter().filter(|fate| !done(fate)).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} were not processed", fates.len()),
    }
}

fn tell(counts: &BTreeMap<String, u32>) {
    for (what, count) in counts {
        output::line(format_args!("{count:>8}  {what}"));
    }
}

#[cfg(test)]
mod tests {
    use lychgate_common::source::preset;

    use super::*;

    #[test]
    fn whoever_sends_more_than_the_rate_limit_lets_through_is_told_before() {
        let source =
            |name: &str| Source::new(name, (preset::named(name).unwrap().profile)(), &["secret".into()]).unwrap();
        let note = slowed(&source("platform"), 500).unwrap();
        assert!(note.contains("1000 in 60s, 100 at once") && note.contains("about 24s"), "{note}");
        assert!(note.contains("rate_limit = \"off\""), "{note}");
        assert_eq!(slowed(&source("platform"), 100), None);
        assert_eq!(slowed(&source("generic"), 500), None);
    }
}
