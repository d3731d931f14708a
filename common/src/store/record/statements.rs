//! The three statements of *record*: insert what is new, take back what half succeeded, find what was known.

use std::collections::HashMap;

use jiff::civil::Date;
use uuid::Uuid;

use super::{KeyRow, NewEvent, Recorded};
use crate::{event::EventId, store::StoreError};

/// Inserts keys, and the events all of whose keys are new; says which those are.
pub(super) async fn insert<C: deadpool_postgres::GenericClient>(
    client: &C,
    items: &[NewEvent],
    keys: &[KeyRow<'_>],
    older: &[Date],
) -> Result<HashMap<EventId, ()>, StoreError> {
    let statement = client
        .prepare_cached(
            "/* record */
            with kept as (
                insert into dedup_key (bucket, source, key_hash, event_id, body_sha256)
                select w.* from unnest($1::date[], $2::text[], $3::bytea[], $4::uuid[], $5::bytea[])
                    as w (bucket, source, key_hash, event_id, body_sha256)
                where not exists (select 1 from dedup_key d
                    where d.bucket = any($6) and d.source = w.source and d.key_hash = w.key_hash)
                order by w.bucket, w.source, w.key_hash
                on conflict do nothing
                returning event_id
            ), won as materialized (
                select i.id from unnest($7::uuid[], $8::bigint[]) as i (id, keys)
                left join (select event_id, count(*) as keys from kept group by 1) k on k.event_id = i.id
                where i.keys = coalesce(k.keys, 0)
            ), bodies as (
                insert into event (id, source, preset, tenant, kind, subject, key, occurred_at, received_at,
                    content_type, headers, body, body_sha256, traceparent)
                select id, source, preset, tenant, kind, subject, left(key, 255), occurred_at, received_at,
                    content_type, headers::jsonb, body, body_sha256, traceparent
                from unnest($7::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                    $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::bytea[], $20::bytea[],
                    $21::text[])
                as i (id, source, preset, tenant, kind, subject, key, occurred_at, received_at, content_type, headers,
                    body, body_sha256, traceparent)
                where i.id in (select id from won)
            )
            insert into event_state (id, source, shard, due_at)
            select id, source, shard, coalesce(due_at, '-infinity')
            from unnest($7::uuid[], $9::text[], $22::smallint[], $23::timestamptz[]) as i (id, source, shard, due_at)
            where i.id in (select id from won)
            returning id",
        )
        .await?;
    let mut of_each: HashMap<EventId, i64> = HashMap::with_capacity(items.len());
    for row in keys {
        *of_each.entry(EventId::from_uuid(row.event)).or_default() += 1;
    }
    let column = |of: fn(&NewEvent) -> &str| -> Vec<&str> { items.iter().map(of).collect() };
    let optional = |of: fn(&NewEvent) -> Option<&str>| -> Vec<Option<&str>> { items.iter().map(of).collect() };
    let rows = client
        .query(
            &statement,
            &[
                &keys.iter().map(|row| row.bucket).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.source).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.event).collect::<Vec<_>>(),
                &keys.iter().map(|row| row.body).collect::<Vec<_>>(),
                &older,
                &items.iter().map(|item| item.event.id.uuid()).collect::<Vec<_>>(),
                &items.iter().map(|item| of_each.get(&item.event.id).copied().unwrap_or(0)).collect::<Vec<i64>>(),
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
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (EventId::from_uuid(row.get(0)), ())).collect())
}

/// Deletes the keys of events that were not inserted: a refusal leaves nothing behind.
pub(super) async fn take_back(
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
pub(super) async fn find<C: deadpool_postgres::GenericClient>(
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
