//! Many webhooks at once: sent side by side, told in sum.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::bail;
use futures_util::{StreamExt, stream};

use super::{Sender, fate};
use crate::output;

/// Requests under way at once: enough to fill a gateway's group commits, few enough for any laptop.
const AT_ONCE: usize = 64;

/// Sends `count` events and says how often each answer, and each fate, came.
pub(super) async fn run(sender: Sender, id: &str, count: u32, wait: bool) -> anyhow::Result<()> {
    let sender = Arc::new(sender);
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
        if let Ok(reply) = result
            && reply.status.is_success()
        {
            events.extend(reply.header("lychgate-event-id").map(str::to_owned));
        }
    }
    tell(&answers);
    let accepted = sent.iter().filter(|result| matches!(result, Ok(reply) if reply.status.is_success())).count();
    if accepted != sent.len() {
        bail!("{} of {count} were not accepted", sent.len() - accepted);
    }
    if wait { wait_for(&sender, events, started).await } else { Ok(()) }
}

async fn wait_for(sender: &Arc<Sender>, events: Vec<String>, started: Instant) -> anyhow::Result<()> {
    let fates: Vec<_> = stream::iter(events)
        .map(|event| {
            let sender = Arc::clone(sender);
            async move { fate::wait(&sender, &event, |_| {}).await }
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
    let done =
        |fate: &Result<fate::Receipt, _>| matches!(fate, Ok(it) if it.status != lychgate_common::status::Status::Dead);
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
