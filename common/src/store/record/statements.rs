//! The statements of *record*: take keys, insert the events that got theirs, give back what half succeeded, find what
//! was known.
//!
//! A statement's own cost is a third of what a batch of thirty costs, so the ordinary batch, whose events have a key
//! each at most, is one statement without a join. Older buckets stand in it by name: they change once a week, and a plan
//! that knows them opens no others.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::{GenericClient, Transaction};
use jiff::civil::Date;
use uuid::Uuid;

use super::{
    KeyRow, NewEvent, Recorded,
    columns::{EVENT_COLUMNS, EventColumns, KEY_COLUMNS, KeyColumns},
};
use crate::{event::EventId, store::StoreError};

/// Inserts events and, with them, their keys; an event whose key is taken is left out. For events with one key each, or
/// none. Says which were inserted.
pub(super) async fn insert<C: GenericClient>(
    client: &C,
    items: &[NewEvent],
    keys: &[KeyRow<'_>],
    older: &[Date],
) -> Result<HashSet<EventId>, StoreError> {
    let first = EVENT_COLUMNS + 1;
    let keyless = first + KEY_COLUMNS;
    let won = format!(
        "kept as ({}), won as materialized (
            select array(select event_id from kept union all select unnest(${keyless}::uuid[])) as ids)",
        take_keys(first, older)
    );
    let statement = client.prepare_cached(&format!("/* record */ {}", events(&won))).await?;
    let keyed: HashSet<Uuid> = keys.iter().map(|row| row.event).collect();
    let keyless: Vec<Uuid> = items.iter().map(|item| item.event.id.uuid()).filter(|id| !keyed.contains(id)).collect();
    let (of_events, of_keys) = (EventColumns::of(items), KeyColumns::of(keys));
    let mut parameters = of_events.parameters().to_vec();
    parameters.extend(of_keys.parameters());
    parameters.push(&keyless);
    let rows = client.query(&statement, &parameters).await?;
    Ok(rows.iter().map(|row| EventId::from_uuid(row.get(0))).collect())
}

/// As [`insert`], for events with any number of keys: one is inserted only if it gets all of them, and one that is not
/// leaves none behind.
pub(super) async fn insert_guarded(
    tx: &Transaction<'_>,
    items: &[NewEvent],
    keys: &[KeyRow<'_>],
    older: &[Date],
) -> Result<HashSet<EventId>, StoreError> {
    let statement = tx.prepare_cached(&take_keys(1, older)).await?;
    let mut missing: HashMap<Uuid, usize> = items.iter().map(|item| (item.event.id.uuid(), 0)).collect();
    for row in keys {
        *missing.entry(row.event).or_default() += 1;
    }
    for row in tx.query(&statement, &KeyColumns::of(keys).parameters()).await? {
        missing.entry(row.get(0)).and_modify(|missing| *missing -= 1);
    }
    let won: Vec<Uuid> = missing.into_iter().filter(|(_, missing)| *missing == 0).map(|(id, _)| id).collect();
    let given = format!("won as materialized (select ${}::uuid[] as ids)", EVENT_COLUMNS + 1);
    let statement = tx.prepare_cached(&format!("/* record_events */ {}", events(&given))).await?;
    let columns = EventColumns::of(items);
    let mut parameters = columns.parameters().to_vec();
    parameters.push(&won);
    let rows = tx.query(&statement, &parameters).await?;
    let inserted = rows.iter().map(|row| EventId::from_uuid(row.get(0))).collect();
    give_back(tx, keys, &inserted).await?;
    Ok(inserted)
}

/// Takes the keys that nobody has, in the order of all; its parameters begin at `first`.
fn take_keys(first: usize, older: &[Date]) -> String {
    let [buckets, sources, hashes, events, bodies] = std::array::from_fn(|nth| first + nth);
    let older: Vec<String> = older.iter().map(|bucket| format!("'{bucket}'::date")).collect();
    let unknown = match older.as_slice() {
        [] => String::new(),
        older => format!(
            "where not exists (select 1 from dedup_key d
                where d.bucket in ({}) and d.source = w.source and d.key_hash = w.key_hash)",
            older.join(", ")
        ),
    };
    format!(
        "/* record_keys */
        insert into dedup_key (bucket, source, key_hash, event_id, body_sha256)
        select w.* from unnest(${buckets}::date[], ${sources}::text[], ${hashes}::bytea[], ${events}::uuid[],
            ${bodies}::bytea[]) as w (bucket, source, key_hash, event_id, body_sha256)
        {unknown}
        order by w.bucket, w.source, w.key_hash
        on conflict do nothing
        returning event_id"
    )
}

/// Inserts bodies and states of those events whose ids the query `won` lists in `ids`, and returns them.
fn events(won: &str) -> String {
    format!(
        "with {won}, bodies as (
            insert into event (id, source, preset, tenant, kind, subject, key, occurred_at, received_at,
                content_type, headers, body, body_sha256, traceparent)
            select id, source, preset, tenant, kind, subject, left(key, 255), occurred_at, received_at,
                content_type, headers::jsonb, body, body_sha256, traceparent
            from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bytea[], $13::bytea[], $14::text[])
            as i (id, source, preset, tenant, kind, subject, key, occurred_at, received_at, content_type, headers,
                body, body_sha256, traceparent)
            where i.id = any((select ids from won)::uuid[])
        )
        insert into event_state (id, source, shard, due_at)
        select id, source, shard, coalesce(due_at, '-infinity')
        from unnest($1::uuid[], $2::text[], $15::smallint[], $16::timestamptz[]) as i (id, source, shard, due_at)
        where i.id = any((select ids from won)::uuid[])
        returning id"
    )
}

/// Deletes the keys of events that were not inserted: a refusal leaves nothing behind.
async fn give_back(tx: &Transaction<'_>, keys: &[KeyRow<'_>], inserted: &HashSet<EventId>) -> Result<(), StoreError> {
    let lost: Vec<&KeyRow<'_>> = keys.iter().filter(|row| !inserted.contains(&EventId::from_uuid(row.event))).collect();
    if lost.is_empty() {
        return Ok(());
    }
    tx.execute(
        "/* record_give_back */
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
pub(super) async fn find<C: GenericClient>(
    client: &C,
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
