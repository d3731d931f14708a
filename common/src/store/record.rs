//! *Record*: makes events durable, many in one statement, and recognises the ones we have already.
//!
//! One statement inserts keys, bodies and states; an event is inserted only if all its keys are new. Keys are sorted,
//! because two unsorted batches deadlock. A row that is not returned was there before, and a second statement (with a
//! snapshot of its own, which sees what others committed meanwhile) says what it repeats. Never updates anything.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp, civil::Date};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Store, StoreError,
    group::{Weigh, Write},
    partition::{BUCKET_DAYS, bucket},
};
use crate::{
    event::{Event, EventId},
    message::Message,
    queue::Shard,
};

/// Around a bucket's edge keys are written into both buckets for this long, so that two gateways whose clocks differ
/// by less cannot both take the same key for new.
const EDGE: SignedDuration = SignedDuration::from_secs(60);

/// What identifies an event within its source and tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys {
    /// The sender's key or id; `None` where every delivery is an event of its own.
    pub key: Option<String>,
    /// The key is not covered by the signature: the same body under another key is a replay of the first.
    pub body_guard: bool,
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
            keys: Keys { key: unrecorded.key.clone(), body_guard: unrecorded.body_guard },
            body_sha256: Self::hash(&message.event.body),
            headers: unrecorded.headers.as_str().into(),
            content_type: unrecorded.content_type.clone(),
            traceparent: message.traceparent.as_deref().map(str::to_owned),
            shard: message.shard,
            due_at: Some(due_at),
        })
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
        let guarded = keys.len() != items.iter().filter(|item| item.keys.key.is_some()).count();
        let inserted = if guarded {
            // Events with two keys may lose one and keep the other: the kept ones are taken back before the commit.
            let tx = client.transaction().await?;
            let inserted = insert(&tx, items, &keys, &older).await?;
            take_back(&tx, &keys, &inserted).await?;
            tx.commit().await?;
            inserted
        } else {
            insert(&client, items, &keys, &older).await?
        };
        let lost: Vec<&NewEvent> = items.iter().filter(|item| !inserted.contains_key(&item.event.id)).collect();
        let mut known = if lost.is_empty() { HashMap::new() } else { find(&client, &lost, &keys, &older).await? };
        items
            .iter()
            .map(|item| match inserted.get(&item.event.id) {
                Some(()) => Ok(Recorded::New),
                None => known.remove(&item.event.id).ok_or_else(|| {
                    StoreError::Row("a key was taken and then gone: the sender's retry will be recorded".to_owned())
                }),
            })
            .collect()
    }
}

/// All keys of a batch, sorted as their index is.
fn key_rows(items: &[NewEvent], now: Timestamp) -> Vec<KeyRow<'_>> {
    let mut buckets = vec![bucket(now - EDGE), bucket(now + EDGE)];
    buckets.dedup();
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let Some(key) = &item.keys.key else { continue };
        let mut hashes = vec![key_hash("id", &item.event.tenant, key.as_bytes())];
        if item.keys.body_guard {
            hashes.push(key_hash("body", &item.event.tenant, &item.body_sha256));
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
    rows.sort_by(|a, b| (a.bucket, a.source, &a.hash).cmp(&(b.bucket, b.source, &b.hash)));
    rows
}

fn key_hash(kind: &str, tenant: &str, key: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [kind.as_bytes(), tenant.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(key);
    hash.finalize().to_vec()
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

async fn insert<C: deadpool_postgres::GenericClient>(
    client: &C,
    items: &[NewEvent],
    keys: &[KeyRow<'_>],
    older: &[Date],
) -> Result<HashMap<EventId, ()>, StoreError> {
    let statement = client
        .prepare_cached(
            "/* record */
            with input as materialized (
                select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bytea[], $13::bytea[],
                    $14::text[], $15::smallint[], $16::timestamptz[])
                as i (id, source, preset, tenant, kind, subject, key, occurred_at, received_at, content_type, headers,
                    body, body_sha256, traceparent, shard, due_at)
            ), wanted as materialized (
                select * from unnest($17::date[], $18::text[], $19::bytea[], $20::uuid[], $21::bytea[])
                as w (bucket, source, key_hash, event_id, body_sha256)
            ), kept as (
                insert into dedup_key (bucket, source, key_hash, event_id, body_sha256)
                select w.* from wanted w
                where not exists (select 1 from dedup_key d
                    where d.bucket = any($22) and d.source = w.source and d.key_hash = w.key_hash)
                order by w.bucket, w.source, w.key_hash
                on conflict do nothing
                returning event_id
            ), won as (
                select i.* from input i
                left join (select event_id, count(*) as n from wanted group by 1) w on w.event_id = i.id
                left join (select event_id, count(*) as n from kept group by 1) k on k.event_id = i.id
                where coalesce(w.n, 0) = coalesce(k.n, 0)
            ), bodies as (
                insert into event (id, source, preset, tenant, kind, subject, key, occurred_at, received_at,
                    content_type, headers, body, body_sha256, traceparent)
                select id, source, preset, tenant, kind, subject, left(key, 255), occurred_at, received_at,
                    content_type, headers::jsonb, body, body_sha256, traceparent from won
            )
            insert into event_state (id, source, shard, due_at)
            select id, source, shard, coalesce(due_at, '-infinity') from won
            returning id",
        )
        .await?;
    let column = |of: fn(&NewEvent) -> &str| -> Vec<&str> { items.iter().map(of).collect() };
    let optional = |of: fn(&NewEvent) -> Option<&str>| -> Vec<Option<&str>> { items.iter().map(of).collect() };
    let rows = client
        .query(
            &statement,
            &[
                &items.iter().map(|item| item.event.id.uuid()).collect::<Vec<_>>(),
                &column(|item| &item.event.source),
                &column(|item| &item.event.preset),
                &column(|item| &item.event.tenant),
                &column(|item| &item.event.kind),
                &optional(|item| item.event.subject.as_deref()),
                &optional(|item| item.keys.key.as_deref()),
                &items.iter().map(|item| item.event.occurred_at).collect::<Vec<_>>(),
                &items.iter().map(|item| item.event.received_at).collect::<Vec<_>>(),
                &optional(|item| item.content_type.as_deref()),
                &column(|item| &item.headers),
                &items.iter().map(|item| item.event.body.as_ref()).collect::<Vec<_>>(),
                &items.iter().map(|item| item.body_sha256.as_slice()).collect::<Vec<_>>(),
                &optional(|item| item.traceparent.as_deref()),
                &items.iter().map(|item| item.shard.number()).collect::<Vec<_>>(),
                &items.iter().map(|item| item.due_at).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.bucket).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.source).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.event).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.body).collect::<Vec<_>>(),
                &older,
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (EventId::from_uuid(row.get(0)), ())).collect())
}

/// Deletes the keys of events that were not inserted: a refusal leaves nothing behind.
async fn take_back(
    tx: &deadpool_postgres::Transaction<'_>,
    keys: &[KeyRow<'_>],
    inserted: &HashMap<EventId, ()>,
) -> Result<(), StoreError> {
    let lost: Vec<&KeyRow<'_>> =
        keys.iter().filter(|row| !inserted.contains_key(&EventId::from_uuid(row.event))).collect();
    if lost.is_empty() {
        return Ok(());
    }
    tx.execute(
        "/* record_take_back */
        delete from dedup_key d using unnest($1::date[], $2::text[], $3::bytea[], $4::uuid[])
            as w (bucket, source, key_hash, event_id)
        where d.bucket = w.bucket and d.source = w.source and d.key_hash = w.key_hash and d.event_id = w.event_id",
        &[
            &lost.iter().map(|row| row.bucket).collect::<Vec<_>>(),
            &lost.iter().map(|row| row.source).collect::<Vec<_>>(),
            &lost.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>(),
            &lost.iter().map(|row| row.event).collect::<Vec<_>>(),
        ],
    )
    .await?;
    Ok(())
}

/// What the events that were not inserted repeat. A conflict of keys weighs more than an equal body.
async fn find(
    client: &deadpool_postgres::Object,
    lost: &[&NewEvent],
    keys: &[KeyRow<'_>],
    older: &[Date],
) -> Result<HashMap<EventId, Recorded>, StoreError> {
    let ids: Vec<Uuid> = lost.iter().map(|item| item.event.id.uuid()).collect();
    let asked: Vec<&KeyRow<'_>> = keys.iter().filter(|row| ids.contains(&row.event)).collect();
    let mut buckets: Vec<Date> = older.to_vec();
    buckets.extend(asked.iter().map(|row| row.bucket));
    buckets.sort_unstable();
    buckets.dedup();
    let statement = client
        .prepare_cached(
            "/* record_find */
            select w.event_id, d.event_id, d.body_sha256 = w.body_sha256
            from unnest($2::text[], $3::bytea[], $4::uuid[], $5::bytea[]) as w (source, key_hash, event_id, body_sha256)
            join dedup_key d on d.bucket = any($1) and d.source = w.source and d.key_hash = w.key_hash",
        )
        .await?;
    let rows = client
        .query(
            &statement,
            &[
                &buckets,
                &asked.iter().map(|row| row.source).collect::<Vec<_>>(),
                &asked.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>(),
                &asked.iter().map(|row| row.event).collect::<Vec<_>>(),
                &asked.iter().map(|row| row.body).collect::<Vec<_>>(),
            ],
        )
        .await?;
    let mut known = HashMap::new();
    for row in rows {
        let (ours, first, same) = (EventId::from_uuid(row.get(0)), EventId::from_uuid(row.get(1)), row.get(2));
        let verdict = if same { Recorded::Duplicate(first) } else { Recorded::Conflict(first) };
        known
            .entry(ours)
            .and_modify(|known| {
                if let Recorded::Conflict(_) = verdict {
                    *known = verdict;
                }
            })
            .or_insert(verdict);
    }
    Ok(known)
}
