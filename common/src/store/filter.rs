//! Which events or dead letters an operator means: the filters that command line and console share.
//!
//! Every field that is left out matches everything. Times are those of receipt, which an event's id carries, so that
//! only the days in question are read.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{event::EventId, status::Status};

/// A selection of events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventFilter {
    /// The source's configured name.
    pub source: Option<String>,
    /// The sender's event type.
    pub kind: Option<String>,
    /// Where the events stand. Dead letters are all *dead*.
    pub status: Option<Status>,
    /// Dead letters of one cause.
    pub fingerprint: Option<String>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// These and no others; empty means any.
    pub ids: Vec<EventId>,
}

/// How much of a listing, and from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// The id of the last one seen; `None` for the first page.
    pub after: Option<EventId>,
}

impl Default for Page {
    /// The first 100.
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

impl EventFilter {
    /// Those with these ids.
    pub fn of(ids: impl Into<Vec<EventId>>) -> Self {
        Self { ids: ids.into(), ..Self::default() }
    }

    /// Closed at `now`, so that what arrives during a long deed is not part of it. Named ids are left as they are: the
    /// clock of the machine that received them may be ahead of ours.
    #[must_use]
    pub fn received_by(mut self, now: Timestamp) -> Self {
        if self.ids.is_empty() {
            self.until = Some(self.until.map_or(now, |until| until.min(now)));
        }
        self
    }

    /// The values of `$1` to `$5` in [`Bound::condition`].
    pub(super) fn bound(&self) -> Bound {
        Bound {
            source: self.source.clone(),
            kind: self.kind.clone(),
            ids: (!self.ids.is_empty()).then(|| self.ids.iter().map(|id| id.uuid()).collect()),
            low: self.since.map_or(Uuid::nil(), |since| EventId::floor(since).uuid()),
            high: self.until.map_or(Uuid::max(), |until| EventId::floor(until).uuid()),
        }
    }
}

/// A filter as a statement's first five parameters.
#[derive(Debug)]
pub(super) struct Bound {
    source: Option<String>,
    kind: Option<String>,
    ids: Option<Vec<Uuid>>,
    low: Uuid,
    high: Uuid,
}

impl Bound {
    /// The condition on a table's columns `source`, `kind` and the id.
    pub(super) fn condition(table: &str, id: &str) -> String {
        format!(
            "($1::text is null or {table}.source = $1) and ($2::text is null or {table}.kind = $2)
             and ($3::uuid[] is null or {table}.{id} = any($3)) and {table}.{id} >= $4 and {table}.{id} < $5"
        )
    }

    /// Goes on after a cursor in a listing with the newest first.
    pub(super) fn before(mut self, cursor: Option<EventId>) -> Self {
        self.high = cursor.map_or(self.high, |cursor| self.high.min(cursor.uuid()));
        self
    }

    /// Goes on after a cursor in a listing with the oldest first.
    pub(super) fn after(mut self, cursor: Option<EventId>) -> Self {
        let next = |cursor: EventId| Uuid::from_u128(cursor.uuid().as_u128().saturating_add(1));
        self.low = cursor.map_or(self.low, |cursor| self.low.max(next(cursor)));
        self
    }

    /// The five parameters, and those that follow.
    pub(super) fn and<'a>(&'a self, more: &[&'a (dyn ToSql + Sync)]) -> Vec<&'a (dyn ToSql + Sync)> {
        let mut values: Vec<&'a (dyn ToSql + Sync)> = vec![&self.source, &self.kind, &self.ids, &self.low, &self.high];
        values.extend(more);
        values
    }
}
