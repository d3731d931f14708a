//! *Settle*: a verdict, its changes and the attempt's record, committed together, many events at a time.
//!
//! The fence comes first: a state that is not open at this attempt any more is not touched, and its changes are not
//! written. Order of writes: row, then queue, then acknowledgement; a crash between them leaves a copy of the message,
//! which finds a settled attempt and is dropped. Never talks to a queue.

mod verdict;

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::verdict::{AttemptError, Verdict};
use super::{
    Emitter, Store, StoreError, apply,
    group::{Weigh, Write},
};
use crate::{
    change::Change,
    event::{Attempt, Event, EventId},
};

/// One finished attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The event; its body is needed where webhooks are told of it.
    pub event: Event,
    /// W3C `traceparent` of the request that brought it.
    pub traceparent: Option<Arc<str>>,
    /// The attempt that was made.
    pub attempt: Attempt,
    /// What becomes of the event.
    pub verdict: Verdict,
    /// What to write if it succeeded.
    pub changes: Arc<[Change]>,
    /// What a waiting sender is answered with.
    pub reply: Option<Value>,
    /// Why it failed, if it did.
    pub error: Option<AttemptError>,
    /// When the handler was started.
    pub started_at: Timestamp,
    /// How long it ran.
    pub took: Duration,
}

impl Weigh for Settlement {
    fn weight(&self) -> usize {
        256 + self.changes.len() * 256
    }
}

/// Whether a settlement took hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Settled {
    /// Committed.
    Now,
    /// The event was settled before, by another copy of the message; nothing was written.
    Before,
}

/// Who works: named in every attempt's record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerName {
    /// Host and process.
    pub worker: String,
    /// Version and revision.
    pub build: String,
}

/// The write of a settle group.
#[derive(Clone, Debug)]
pub struct Settler {
    store: Store,
    name: WorkerName,
    emitter: Option<Emitter>,
}

impl Settler {
    /// Settles into `store` in the name of a worker.
    pub fn new(store: Store, name: WorkerName) -> Self {
        Self { store, name, emitter: None }
    }

    /// Tells webhooks of what has succeeded or was ignored, too.
    #[must_use]
    pub fn telling(self, emitter: Emitter) -> Self {
        Self { emitter: Some(emitter), ..self }
    }
}

impl Write<Settlement, Settled> for Settler {
    async fn write(&self, items: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        let now = self.store.clock.now();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let won = fence(&tx, items, now).await?;
        let mut winners: Vec<&Settlement> = Vec::with_capacity(won.len());
        let mut seen = HashSet::new();
        let mut settled = Vec::with_capacity(items.len());
        for item in items {
            // Two copies of one event in one batch: the first is settled, the second finds it so.
            if won.contains(&item.event.id) && seen.insert(item.event.id) {
                winners.push(item);
                settled.push(Settled::Now);
            } else {
                settled.push(Settled::Before);
            }
        }
        if !winners.is_empty() {
            attempts(&tx, &winners, &self.name, now).await?;
            dead(&tx, &winners, &self.name, now).await?;
            let changes: Vec<&Change> = winners.iter().flat_map(|item| item.changes.iter()).collect();
            apply::apply(&tx, &changes).await?;
        }
        let emitted = match &self.emitter {
            Some(emitter) => emitter.emit(&tx, &winners, now).await?,
            None => Vec::new(),
        };
        tx.commit().await?;
        if let Some(emitter) = &self.emitter {
            emitter.hand_over(emitted);
        }
        Ok(settled)
    }
}

/// The error as document C wants to see it: `{message, stack, timestamp}`.
fn error_json(error: &AttemptError, at: Timestamp) -> Value {
    json!({ "message": error.message, "stack": error.stack, "timestamp": at.to_string() })
}

/// Moves the states that are still open at the attempt that was made, and says which.
async fn fence(
    tx: &deadpool_postgres::Transaction<'_>,
    items: &[Settlement],
    now: Timestamp,
) -> Result<HashSet<EventId>, StoreError> {
    let mut sorted: Vec<&Settlement> = items.iter().collect();
    sorted.sort_by_key(|item| item.event.id);
    sorted.dedup_by_key(|item| item.event.id);
    let ids: Vec<Uuid> = sorted.iter().map(|item| item.event.id.uuid()).collect();
    let next = |item: &Settlement| match item.verdict {
        Verdict::Retry { .. } => item.attempt.next().number(),
        Verdict::Succeeded | Verdict::Ignored(_) | Verdict::Dead { .. } => item.attempt.number(),
    };
    let climbed = |item: &Settlement| match item.verdict {
        Verdict::Retry { climbed, .. } => Some(i16::from(climbed)),
        Verdict::Succeeded | Verdict::Ignored(_) | Verdict::Dead { .. } => None,
    };
    let due = |item: &Settlement| match item.verdict {
        Verdict::Retry { sweep_at, .. } => Some(sweep_at),
        Verdict::Succeeded | Verdict::Ignored(_) | Verdict::Dead { .. } => None,
    };
    let finished = |item: &Settlement| (!item.verdict.status().is_open()).then_some(now);
    let statement = tx
        .prepare_cached(
            "/* settle */
            update event_state s
            set status = v.status, attempt = v.next, climbed = coalesce(v.climbed, s.climbed), starts = 0,
                leased = false, due_at = coalesce(v.due_at, s.due_at), finished_at = v.finished_at
            from unnest($1::uuid[], $2::int[], $3::event_status[], $4::int[], $5::smallint[], $6::timestamptz[],
                    $7::timestamptz[])
                as v (id, attempt, status, next, climbed, due_at, finished_at)
            where s.id = v.id and s.attempt = v.attempt and s.finished_at is null and s.id between $8 and $9
            returning s.id",
        )
        .await?;
    let (Some(low), Some(high)) = (ids.first().copied(), ids.last().copied()) else { return Ok(HashSet::new()) };
    let rows = tx
        .query(
            &statement,
            &[
                &ids,
                &sorted.iter().map(|item| item.attempt.number()).collect::<Vec<_>>(),
                &sorted.iter().map(|item| item.verdict.status()).collect::<Vec<_>>(),
                &sorted.iter().map(|item| next(item)).collect::<Vec<_>>(),
                &sorted.iter().map(|item| climbed(item)).collect::<Vec<_>>(),
                &sorted.iter().map(|item| due(item)).collect::<Vec<_>>(),
                &sorted.iter().map(|item| finished(item)).collect::<Vec<_>>(),
                &low,
                &high,
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| EventId::from_uuid(row.get(0))).collect())
}

/// Writes the history: one row an attempt.
async fn attempts(
    tx: &deadpool_postgres::Transaction<'_>,
    winners: &[&Settlement],
    name: &WorkerName,
    now: Timestamp,
) -> Result<(), StoreError> {
    let outcome = |item: &Settlement| item.error.as_ref().map_or(item.verdict.status().name(), |error| error.outcome);
    let error = |item: &Settlement| match (&item.error, &item.verdict) {
        (Some(error), _) => Some(error_json(error, now)),
        (None, Verdict::Ignored(why)) => Some(json!({ "message": why })),
        (None, Verdict::Succeeded | Verdict::Retry { .. } | Verdict::Dead { .. }) => None,
    };
    let statement = tx
        .prepare_cached(
            "/* settle_attempts */
            insert into attempt (event_id, attempt, started_at, micros, outcome, class, error, reply, worker, build)
            select a.*, $9, $10 from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bigint[], $5::text[],
                $6::text[], $7::jsonb[], $8::json[]) as a",
        )
        .await?;
    tx.execute(
        &statement,
        &[
            &winners.iter().map(|item| item.event.id.uuid()).collect::<Vec<_>>(),
            &winners.iter().map(|item| item.attempt.number()).collect::<Vec<_>>(),
            &winners.iter().map(|item| item.started_at).collect::<Vec<_>>(),
            &winners.iter().map(|item| i64::try_from(item.took.as_micros()).unwrap_or(i64::MAX)).collect::<Vec<_>>(),
            &winners.iter().map(|item| outcome(item)).collect::<Vec<_>>(),
            &winners.iter().map(|item| item.error.as_ref().map(|error| error.class.as_str())).collect::<Vec<_>>(),
            &winners.iter().map(|item| error(item)).collect::<Vec<_>>(),
            &winners.iter().map(|item| item.reply.as_ref()).collect::<Vec<_>>(),
            &name.worker,
            &name.build,
        ],
    )
    .await?;
    Ok(())
}

/// Lays the dead where an operator finds them.
async fn dead(
    tx: &deadpool_postgres::Transaction<'_>,
    winners: &[&Settlement],
    name: &WorkerName,
    now: Timestamp,
) -> Result<(), StoreError> {
    for item in winners {
        let (Verdict::Dead { fingerprint }, Some(error)) = (&item.verdict, &item.error) else { continue };
        let statement = tx
            .prepare_cached(
                "/* settle_dead */
                insert into dead_letter (event_id, source, kind, tenant, fingerprint, class, message, error, attempts,
                    died_at, worker, build)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                on conflict (event_id) do nothing",
            )
            .await?;
        tx.execute(
            &statement,
            &[
                &item.event.id.uuid(),
                &item.event.source.as_ref(),
                &item.event.kind.as_ref(),
                &item.event.tenant.as_ref(),
                fingerprint,
                &error.class,
                &error.message,
                &error_json(error, now),
                &item.attempt.number(),
                &now,
                &name.worker,
                &name.build,
            ],
        )
        .await?;
    }
    Ok(())
}
