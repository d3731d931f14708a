//! A batch as the columns that its statements take: one array a column. Does nothing but lay them out.

use jiff::{Timestamp, civil::Date};
use postgres_types::ToSql;
use uuid::Uuid;

use super::{KeyRow, NewEvent};

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// How many columns [`EventColumns`] has.
pub(super) const EVENT_COLUMNS: usize = 16;

/// How many columns [`KeyColumns`] has.
pub(super) const KEY_COLUMNS: usize = 5;

/// Columns of `event` and `event_state`.
pub(super) struct EventColumns<'a> {
    ids: Vec<Uuid>,
    sources: Vec<&'a str>,
    presets: Vec<&'a str>,
    tenants: Vec<&'a str>,
    kinds: Vec<&'a str>,
    subjects: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    occurred: Vec<Option<Timestamp>>,
    received: Vec<Timestamp>,
    content_types: Vec<Option<&'a str>>,
    headers: Vec<&'a str>,
    bodies: Vec<&'a [u8]>,
    hashes: Vec<&'a [u8]>,
    traceparents: Vec<Option<&'a str>>,
    shards: Vec<i16>,
    due: Vec<Option<Timestamp>>,
}

impl<'a> EventColumns<'a> {
    pub(super) fn of(items: &'a [NewEvent]) -> Self {
        fn column<'a, T>(items: &'a [NewEvent], of: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
            items.iter().map(of).collect()
        }
        Self {
            ids: column(items, |item| item.event.id.uuid()),
            sources: column(items, |item| item.event.source.as_ref()),
            presets: column(items, |item| item.event.preset.as_ref()),
            tenants: column(items, |item| item.event.tenant.as_ref()),
            kinds: column(items, |item| item.event.kind.as_ref()),
            subjects: column(items, |item| item.event.subject.as_deref()),
            keys: column(items, |item| item.keys.key.as_deref()),
            occurred: column(items, |item| item.event.occurred_at),
            received: column(items, |item| item.event.received_at),
            content_types: column(items, |item| item.content_type.as_deref()),
            headers: column(items, |item| item.headers.as_ref()),
            bodies: column(items, |item| item.event.body.as_ref()),
            hashes: column(items, |item| item.body_sha256.as_slice()),
            traceparents: column(items, |item| item.traceparent.as_deref()),
            shards: column(items, |item| item.shard.number()),
            due: column(items, |item| item.due_at),
        }
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; EVENT_COLUMNS] {
        [
            &self.ids,
            &self.sources,
            &self.presets,
            &self.tenants,
            &self.kinds,
            &self.subjects,
            &self.keys,
            &self.occurred,
            &self.received,
            &self.content_types,
            &self.headers,
            &self.bodies,
            &self.hashes,
            &self.traceparents,
            &self.shards,
            &self.due,
        ]
    }
}

/// Columns of `dedup_key`.
pub(super) struct KeyColumns<'a> {
    buckets: Vec<Date>,
    sources: Vec<&'a str>,
    hashes: Vec<&'a [u8]>,
    events: Vec<Uuid>,
    bodies: Vec<&'a [u8]>,
}

impl<'a> KeyColumns<'a> {
    pub(super) fn of(keys: &'a [KeyRow<'_>]) -> Self {
        Self {
            buckets: keys.iter().map(|row| row.bucket).collect(),
            sources: keys.iter().map(|row| row.source).collect(),
            hashes: keys.iter().map(|row| row.hash.as_slice()).collect(),
            events: keys.iter().map(|row| row.event).collect(),
            bodies: keys.iter().map(|row| row.body).collect(),
        }
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; KEY_COLUMNS] {
        [&self.buckets, &self.sources, &self.hashes, &self.events, &self.bodies]
    }
}
