//! *Record*: makes events durable, many in one statement, and recognises the ones we have already.
//!
//! One statement inserts keys, bodies and states; an event is inserted only if all its keys are new. Keys are sorted,
//! because two unsorted batches deadlock. A row that is not returned was there before, and a second statement (with a
//! snapshot of its own, which sees what others committed meanwhile) says what it repeats. Never updates anything.

mod bundle;
mod columns;
mod statements;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp, civil::Date};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::bundle::Bundle;
use super::{
    Store, StoreError,
    group::{Weigh, Write},
    partition::{BUCKET_DAYS, bucket},
};
use crate::{
    event::{Attempt, Event, EventId},
    message::Message,
    queue::Shard,
};

/// Around a bucket's edge keys are written into both buckets for this long, so that two gateways whose clocks differ
/// by less cannot both take the same key for new.
pub(super) const EDGE: SignedDuration = SignedDuration::from_secs(60);

/// What identifies an event within its source and tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys {
    /// The sender's key or id; `None` where every delivery is an event of its own.
    pub key: Option<String>,
    /// The key is not covered by the signature: the same body of the same type under another key is a replay of the
    /// first.
    pub body_guard: bool,
    /// For how long it is, at least; twice as long at most. `None`: as long as keys are kept.
    pub body_guard_window: Option<Duration>,
}

/// An authenticated, identified event that is to be made durable.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// What identifies it.
    pub keys: Keys,
    /// SHA-256 of what the sender sent: tells a repetition from a conflict.
    pub body_sha256: [u8; 32],
    /// Header names to values, without credentials, as JSON text: written once, shared by all events of a request.
    pub headers: Arc<str>,
    /// The request's content type.
    pub content_type: Option<String>,
    /// W3C `traceparent`.
    pub traceparent: Option<String>,
    /// Its shard.
    pub shard: Shard,
    /// When the sweeper, or a claim, may take it; `None`: at once, because nobody will publish it.
    pub due_at: Option<Timestamp>,
}

impl NewEvent {
    /// The event of a message that was accepted while the store was away; `None` for every other message.
    pub fn unrecorded(message: &Message, due_at: Timestamp) -> Option<Self> {
        let unrecorded = message.unrecorded.as_ref()?;
        Some(Self {
            event: message.event.clone(),
            keys: Keys {
                key: unrecorded.key.clone(),
                body_guard: unrecorded.body_guard,
                body_guard_window: unrecorded.body_guard_window,
            },
            body_sha256: Self::hash(&message.event.body),
            headers: unrecorded.headers.as_str().into(),
            content_type: unrecorded.content_type.clone(),
            traceparent: message.traceparent.as_deref().map(str::to_owned),
            shard: message.shard,
            due_at: Some(due_at),
        })
    }

    /// The message of its first attempt.
    pub fn first_message(self) -> Message {
        Message {
            shard: self.shard,
            traceparent: self.traceparent.map(Into::into),
            event: self.event,
            body_in_store: false,
            attempt: Attempt::FIRST,
            climbed: 0,
            reply_to: None,
            unrecorded: None,
        }
    }

    /// Computes the hash of a body.
    pub fn hash(body: &Bytes) -> [u8; 32] {
        Sha256::digest(body).into()
    }
}

impl Weigh for NewEvent {
    fn weight(&self) -> usize {
        self.event.body.len() + 512
    }
}

/// What became of a new event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// Durable from now on.
    New,
    /// We have it: this is its id.
    Duplicate(EventId),
    /// Its key is that of another event, whose body differs.
    Conflict(EventId),
}

/// The write of a record group.
#[derive(Clone, Debug)]
pub struct Recorder {
    store: Store,
    window: SignedDuration,
}

impl Recorder {
    /// Records into `store`, recognising keys for at least `window`.
    pub fn new(store: Store, window: SignedDuration) -> Self {
        Self { store, window }
    }
}

impl Write<NewEvent, Recorded> for Recorder {
    async fn write(&self, items: &[NewEvent]) -> Result<Vec<Recorded>, StoreError> {
        match self.store.record(items, self.window).await {
            Err(error) if error.is_missing_partition() => {
                self.store.make_partitions(super::partition::DAYS_AHEAD).await?;
                self.store.record(items, self.window).await
            }
            result => result,
        }
    }
}

/// One row for `dedup_key`.
struct KeyRow<'a> {
    bucket: Date,
    source: &'a str,
    hash: Vec<u8>,
    event: Uuid,
    body: &'a [u8],
}

impl Store {
    async fn record(&self, items: &[NewEvent], window: SignedDuration) -> Result<Vec<Recorded>, StoreError> {
        let now = self.clock.now();
        let keys = key_rows(items, now);
        let older = probed(now, window);
        let mut client = self.client().await?;
        let inserted = if one_key_each(&keys) {
            statements::insert(&client, items, &keys, &older).await?
        } else {
            let tx = client.transaction().await?;
            let inserted = statements::insert_guarded(&tx, items, &keys, &older).await?;
            tx.commit().await?;
            inserted
        };
        let lost: Vec<&NewEvent> = items.iter().filter(|item| !inserted.contains(&item.event.id)).collect();
        let mut known =
            if lost.is_empty() { HashMap::new() } else { statements::find(&client, &lost, &keys, &older).await? };
        items
            .iter()
            .map(|item| match inserted.contains(&item.event.id) {
                true => Ok(Recorded::New),
                false => known.remove(&item.event.id).ok_or_else(|| {
                    StoreError::Row("a key was taken and then gone: the sender's retry will be recorded".to_owned())
                }),
            })
            .collect()
    }
}

/// Records events that nothing identifies, within the caller's transaction.
pub(super) async fn keyless(tx: &deadpool_postgres::Transaction<'_>, items: &[NewEvent]) -> Result<(), StoreError> {
    statements::insert(tx, items, &[], &[]).await.map(drop)
}

/// All keys of a batch. The statement writes them in the order of their index.
fn key_rows(items: &[NewEvent], now: Timestamp) -> Vec<KeyRow<'_>> {
    let mut buckets = vec![bucket(now - EDGE), bucket(now + EDGE)];
    buckets.dedup();
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let Some(key) = &item.keys.key else { continue };
        let mut hashes = vec![key_hash(&["id", &item.event.tenant], key.as_bytes())];
        if item.keys.body_guard {
            hashes.extend(guards(item));
        }
        for bucket in &buckets {
            rows.extend(hashes.iter().map(|hash| KeyRow {
                bucket: *bucket,
                source: &item.event.source,
                hash: hash.clone(),
                event: item.event.id.uuid(),
                body: &item.body_sha256,
            }));
        }
    }
    rows
}

/// The keys under which a body is known. The type is among them: of equal bodies one can tell of a sale and the other
/// of its end. A window is two keys, of the slot of time in which the event came and of the next: an equal body in
/// either finds one of them taken, whichever gateway's clock is ahead, and later ones find neither.
fn guards(item: &NewEvent) -> Vec<Vec<u8>> {
    let (tenant, kind) = (&item.event.tenant, &item.event.kind);
    let Some(window) = item.keys.body_guard_window else {
        return vec![key_hash(&["body", tenant, kind], &item.body_sha256)];
    };
    let seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1);
    let slot = item.event.received_at.as_second().div_euclid(seconds);
    let of = |slot: i64| key_hash(&["body", tenant, kind, &slot.to_string()], &item.body_sha256);
    vec![of(slot), of(slot.saturating_add(1))]
}

fn key_hash(parts: &[&str], key: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(key);
    hash.finalize().to_vec()
}

/// Whether no event has a second key: its rows follow each other.
fn one_key_each(keys: &[KeyRow<'_>]) -> bool {
    keys.windows(2).all(|pair| matches!(pair, [first, second] if first.event != second.event))
}

/// The buckets in which an older key may lie, newest first; the ones written now are not among them.
fn probed(now: Timestamp, window: SignedDuration) -> Vec<Date> {
    let week = SignedDuration::from_hours(24 * BUCKET_DAYS);
    let (oldest, newest) = (bucket(now - window), bucket(now - EDGE));
    (1..)
        .map(|weeks: i32| bucket(now - EDGE - week * weeks))
        .take_while(|bucket| *bucket >= oldest)
        .filter(|bucket| *bucket != newest)
        .collect()
}
