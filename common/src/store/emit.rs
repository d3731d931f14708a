//! *Emit*: an event that has succeeded, or was ignored, becomes one delivery for each webhook that wants to be told.
//!
//! In the transaction that settles it, so exactly once; a few statements for a whole batch, and none while there is no
//! webhook. Deliveries, and what else the house sends itself, are told to nobody. Never publishes: what was emitted is
//! handed to the worker after the commit, and what that loses the sweeper finds.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{
    Settlement, StoreError, Verdict,
    record::{NewEvent, keyless},
};
use crate::{
    event::EventId,
    message::Message,
    queue::{Queue, Shards},
    source::is_reserved,
    webhook::{Delivery, envelope},
};

/// Messages that may wait to be published, some 64 MB at most. What is over is swept.
const WAITING: usize = 4096;

/// Bytes of bodies in one statement, as in a group commit: an event with many listeners is written in several.
const STATEMENT: usize = 4 << 20;

/// How deliveries become rows, and whether there is anybody to be told. Cheap to clone; all clones share the answer.
#[derive(Clone, Debug)]
pub struct Emitter {
    shards: Shards,
    /// How long the queue has before the sweeper takes a delivery; `None` where the store is the queue.
    grace: Option<Duration>,
    anybody: Arc<AtomicBool>,
    emitted: mpsc::Sender<Message>,
}

impl Emitter {
    /// An emitter, and what it has emitted: to be published.
    pub fn new(queue: &Queue, shards: Shards, grace: Duration) -> (Self, mpsc::Receiver<Message>) {
        let (emitted, receiver) = mpsc::channel(WAITING);
        let grace = matches!(queue, Queue::Broker(_)).then_some(grace);
        // Until the store was asked, somebody may want to be told.
        (Self { shards, grace, anybody: Arc::new(AtomicBool::new(true)), emitted }, receiver)
    }

    /// Says whether any webhook is told of events.
    pub fn somebody(&self, anybody: bool) {
        self.anybody.store(anybody, Ordering::Relaxed);
    }

    /// The deliveries of these settlements, written within their transaction.
    pub(super) async fn emit(
        &self,
        tx: &deadpool_postgres::Transaction<'_>,
        winners: &[&Settlement],
        now: Timestamp,
    ) -> Result<Vec<Message>, StoreError> {
        if !self.anybody.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let told: Vec<&Settlement> = winners.iter().copied().filter(|item| is_told(item)).collect();
        let listeners = listeners(tx, &told).await?;
        let grace = self.grace.and_then(|grace| SignedDuration::try_from(grace).ok());
        let due_at = now + grace.unwrap_or(SignedDuration::ZERO);
        let mut deliveries = Vec::new();
        for item in told {
            let event = &item.event;
            let Some(webhooks) = listeners.get(&(event.source.as_ref(), event.kind.as_ref())) else { continue };
            // The same for every webhook, and not written where nobody is told.
            let body = envelope(event);
            deliveries.extend(webhooks.iter().map(|webhook| {
                let delivery = Delivery {
                    id: EventId::new(now),
                    webhook: Arc::clone(webhook),
                    kind: Arc::clone(&event.kind),
                    subject: event.id.to_string().into(),
                    occurred_at: event.effective_at(),
                    body: body.clone(),
                    traceparent: item.traceparent.as_deref().map(str::to_owned),
                };
                delivery.recorded(self.shards, now, Some(due_at))
            }));
        }
        if !deliveries.is_empty() {
            write(tx, &deliveries).await?;
        }
        Ok(deliveries.into_iter().map(|delivery| delivery.first_message().slimmed()).collect())
    }

    /// Hands over what was committed. What finds no room is left to the sweeper.
    pub(super) fn hand_over(&self, messages: Vec<Message>) {
        for message in messages {
            let _swept_later = self.emitted.try_send(message);
        }
    }
}

/// Whether anybody outside is told: of what ended well, and came from outside.
fn is_told(item: &Settlement) -> bool {
    match item.verdict {
        Verdict::Succeeded | Verdict::Ignored(_) => !is_reserved(&item.event.source),
        Verdict::Retry { .. } | Verdict::Dead { .. } => false,
    }
}

/// Who listens to what is to be told, by source and type: a batch has few of these, however many events.
async fn listeners<'a>(
    tx: &deadpool_postgres::Transaction<'_>,
    told: &[&'a Settlement],
) -> Result<HashMap<(&'a str, &'a str), Vec<Arc<str>>>, StoreError> {
    let mut kinds: Vec<(&str, &str)> =
        told.iter().map(|item| (item.event.source.as_ref(), item.event.kind.as_ref())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut listeners: HashMap<_, Vec<_>> = HashMap::new();
    if kinds.is_empty() {
        return Ok(listeners);
    }
    let statement = tx
        .prepare_cached(
            "/* emit_listeners */
            select t.n, w.id from unnest($1::text[], $2::text[]) with ordinality as t (source, kind, n)
            join webhook w on w.active and (w.sources is null or t.source = any(w.sources))
                and exists (select from unnest(w.events) f where f in ('*', t.kind)
                    or (right(f, 2) = '.*' and starts_with(t.kind, left(f, -1))))
            order by w.id",
        )
        .await?;
    let (sources, names): (Vec<&str>, Vec<&str>) = kinds.iter().copied().unzip();
    for row in tx.query(&statement, &[&sources, &names]).await? {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).ok();
        if let Some(kind) = place.and_then(|place| kinds.get(place)) {
            listeners.entry(*kind).or_default().push(row.get::<_, &str>(1).into());
        }
    }
    Ok(listeners)
}

/// Records deliveries as events, and as their webhooks'.
pub(super) async fn write(tx: &deadpool_postgres::Transaction<'_>, deliveries: &[NewEvent]) -> Result<(), StoreError> {
    let mut rest = deliveries;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |delivery: &&NewEvent| {
            bytes += delivery.event.body.len();
            bytes <= STATEMENT
        };
        let (part, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        keyless(tx, part).await?;
        rest = later;
    }
    let statement = tx
        .prepare_cached(
            "/* emit_deliveries */ insert into webhook_delivery (webhook_id, event_id)
             select * from unnest($1::text[], $2::uuid[])",
        )
        .await?;
    let webhooks: Vec<&str> = deliveries.iter().map(|delivery| delivery.event.tenant.as_ref()).collect();
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.event.id.uuid()).collect();
    tx.execute(&statement, &[&webhooks, &ids]).await?;
    Ok(())
}
