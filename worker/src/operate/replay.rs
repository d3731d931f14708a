//! *Replay*: dead letters are handled once more, a few first, then more, and no more when those fail again.
//!
//! With a canary, each wave's outcome is awaited before the next one, ten times as large, begins. Without one, all are
//! opened at the given rate and nothing is awaited. Dropping the future stops between two steps; what was opened by
//! then is processed. Oldest first, and none twice: what dies again is behind the cursor.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use jiff::SignedDuration;
use lychgate_common::{
    event::{Attempt, EventId},
    queue::{Published, Queue, Route},
    status::Status,
    store::{Deed, EventFilter, Page, Standing, Store, StoreError},
};
use serde::Serialize;
use tokio::time::Instant;

/// The largest wave: enough to keep workers busy, few enough to hold in memory with their bodies.
const LARGEST_WAVE: u32 = 200;

/// Of a wave, one in so many may fail again; more halt the replay.
const TOLERATED: usize = 10;

/// How long the publishing of what was opened may take before the sweeper takes it for lost.
const PUBLISHING: SignedDuration = SignedDuration::from_secs(60);

/// How often a wave's outcome is asked for.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be replayed, and how carefully.
#[derive(Clone, PartialEq, Debug)]
pub struct ReplayOrder {
    /// Which dead letters.
    pub filter: EventFilter,
    /// The first wave's size; `None` replays without a canary.
    pub canary: Option<NonZeroU32>,
    /// Events opened a second at most; `None` for as fast as it goes.
    pub per_second: Option<NonZeroU32>,
    /// How long a wave's outcome is awaited.
    pub patience: Duration,
    /// Who, and why.
    pub deed: Deed,
}

impl ReplayOrder {
    /// A canary of one, no rate, a minute's patience.
    pub fn new(filter: EventFilter, deed: Deed) -> Self {
        Self { filter, canary: NonZeroU32::new(1), per_second: None, patience: Duration::from_secs(60), deed }
    }
}

/// How a replay went, or how it goes so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ReplayReport {
    /// Opened again.
    pub replayed: u64,
    /// Of these, known to have succeeded or to have been ignored.
    pub succeeded: u64,
    /// Of these, known to have failed again: dead, or waiting for another try.
    pub failed: u64,
    /// Not dead any more when their turn came.
    pub skipped: u64,
    /// Why the replay stopped before its end.
    pub halted: Option<String>,
}

/// Replays what matches. `progress` sees the report after every wave.
///
/// # Errors
/// The store's trouble; what was opened by then is processed.
pub async fn replay(
    store: &Store,
    queue: Option<&Queue>,
    order: &ReplayOrder,
    mut progress: impl FnMut(&ReplayReport) + Send,
) -> Result<ReplayReport, StoreError> {
    let mut report = ReplayReport::default();
    let mut size = order.canary.map_or(LARGEST_WAVE, NonZeroU32::get).min(LARGEST_WAVE);
    let mut after = None;
    let started = Instant::now();
    // What is received from now on is not part of the plan that the operator has seen.
    let filter = order.filter.clone().received_by(store.clock().now());
    loop {
        let ids = store.dead_letter_ids(&filter, Page { limit: size, after }).await?;
        let Some(last) = ids.last() else { return Ok(report) };
        after = Some(*last);
        let wave = open(store, queue, order, &ids, started, &mut report).await?;
        if order.canary.is_some() {
            report.halted = outcome(store, &wave, order.patience, &mut report).await?;
        }
        progress(&report);
        if report.halted.is_some() {
            return Ok(report);
        }
        size = size.saturating_mul(10).min(LARGEST_WAVE);
    }
}

/// Opens a wave's events at the order's rate, and says at which attempt each of them is now.
async fn open(
    store: &Store,
    queue: Option<&Queue>,
    order: &ReplayOrder,
    ids: &[EventId],
    started: Instant,
    report: &mut ReplayReport,
) -> Result<BTreeMap<EventId, Attempt>, StoreError> {
    let mut wave = BTreeMap::new();
    // With a rate, a tenth of a second's worth at a time, so that the flow is even.
    let step = order.per_second.map_or(ids.len(), |rate| usize::try_from(rate.get() / 10).unwrap_or(usize::MAX)).max(1);
    for step in ids.chunks(step) {
        if let Some(rate) = order.per_second {
            let due = Duration::from_secs(report.replayed) / rate.get();
            tokio::time::sleep_until(started + due).await;
        }
        let due_at = match queue {
            Some(Queue::Broker(_)) => Some(store.clock().now() + PUBLISHING),
            Some(Queue::Store(_)) | None => None,
        };
        let messages = store.replay(step, &order.deed, due_at).await?;
        report.replayed += count(messages.len());
        report.skipped += count(step.len().saturating_sub(messages.len()));
        wave.extend(messages.iter().map(|message| (message.id(), message.attempt)));
        if let Some(queue) = queue {
            let ids: Vec<_> = messages.iter().map(|message| (message.id(), message.attempt)).collect();
            let batch = messages.into_iter().map(|message| (message.slimmed(), Route::Main)).collect();
            let unpublished = Published::unconfirmed(&ids, &queue.publish(batch).await);
            store.mark_unpublished(&unpublished).await?;
        }
    }
    Ok(wave)
}

/// Waits until each event of a wave is decided; says why to halt, if so.
async fn outcome(
    store: &Store,
    wave: &BTreeMap<EventId, Attempt>,
    patience: Duration,
    report: &mut ReplayReport,
) -> Result<Option<String>, StoreError> {
    let ids: Vec<EventId> = wave.keys().copied().collect();
    let deadline = Instant::now() + patience;
    loop {
        let standings = store.standings(&ids).await?;
        let tally = Tally::of(wave, &standings);
        if tally.waiting == 0 || Instant::now() >= deadline {
            report.succeeded += count(tally.succeeded);
            report.failed += count(tally.failed);
            return Ok(tally.objection(wave.len(), patience));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A wave's outcomes so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    succeeded: usize,
    failed: usize,
    waiting: usize,
}

impl Tally {
    fn of(wave: &BTreeMap<EventId, Attempt>, standings: &[Standing]) -> Self {
        let mut tally = Self::default();
        for standing in standings {
            let again = wave.get(&standing.id).is_some_and(|replayed| standing.attempt > *replayed);
            match standing.status {
                Status::Succeeded | Status::Ignored => tally.succeeded += 1,
                Status::Dead => tally.failed += 1,
                Status::Accepted | Status::Retrying if again => tally.failed += 1,
                Status::Accepted | Status::Retrying => tally.waiting += 1,
                // It died again, and somebody gave it up meanwhile.
                Status::Discarded => tally.failed += 1,
            }
        }
        tally
    }

    fn objection(self, of: usize, patience: Duration) -> Option<String> {
        if self.failed * TOLERATED > of {
            return Some(format!("{} of {of} failed again: look at one of them before you go on", self.failed));
        }
        (self.waiting > 0).then(|| {
            format!("{} of {of} have no outcome after {} s: is a worker running?", self.waiting, patience.as_secs())
        })
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_wave_is_objected_to_when_more_than_one_in_ten_fail_again() {
        let (first, second) = (Attempt::FIRST, Attempt::FIRST.next());
        let ids: Vec<_> = (0..10).map(|n| EventId::new(Timestamp::from_second(n).unwrap())).collect();
        let wave: BTreeMap<_, _> = ids.iter().map(|id| (*id, first)).collect();
        let standing = |status, attempt| move |id: &EventId| Standing { id: *id, status, attempt };
        let mut standings: Vec<_> = ids.iter().map(standing(Status::Succeeded, first)).collect();
        standings[0].status = Status::Dead;
        assert_eq!(Tally::of(&wave, &standings).objection(10, Duration::ZERO), None);
        standings[1] = standing(Status::Retrying, second)(&ids[1]);
        let said = Tally::of(&wave, &standings).objection(10, Duration::ZERO).unwrap();
        assert!(said.starts_with("2 of 10 failed again"), "{said}");
        standings[0].status = Status::Succeeded;
        standings[1].attempt = first;
        let said = Tally::of(&wave, &standings).objection(10, Duration::from_secs(60)).unwrap();
        assert!(said.starts_with("1 of 10 have no outcome after 60 s"), "{said}");
    }
}
