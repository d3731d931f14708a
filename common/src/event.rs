//! What an event is: its names, its numbers, its normal form.
//!
//! Every value here is checked when it is made, so that the rooms behind need not ask again. Nothing here knows HTTP,
//! AMQP or SQL.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event's id: a UUIDv7, so that it sorts by the time of receipt and names the day's partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// A fresh id for an event received at `at`.
    pub fn new(at: Timestamp) -> Self {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }

    /// Wraps an id that came from a database row or a message.
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The bare UUID, for a statement's parameter.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// The smallest id that an event received at `at` or later can have: a partition's bound.
    pub fn floor(at: Timestamp) -> Self {
        let millis = u128::try_from(at.as_millisecond()).unwrap_or(0);
        Self(Uuid::from_u128((millis << 80) & (u128::MAX << 80)))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was to be an event's id is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no event's id; those look like 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self).map_err(|_| NoEventId)
    }
}

/// How many times an event has been given to a handler, this time included: 1 for the first. It never goes back, not
/// even on a replay, so that it fences off late copies of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(i32);

impl Attempt {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// An attempt's number as stored; numbers under 1 do not exist.
    pub fn new(number: i32) -> Option<Self> {
        (number >= 1).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// The one that follows.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The normal form that every source's webhook is brought into, and all that a handler sees.
#[derive(Clone, Debug)]
pub struct Event {
    /// Ours, given at receipt.
    pub id: EventId,
    /// The source's configured name.
    pub source: Arc<str>,
    /// The preset that the source is made from: what picks the handler.
    pub preset: Arc<str>,
    /// Whose event it is within the source (a campus, an account); empty where the source has no tenants.
    pub tenant: Arc<str>,
    /// The sender's event type, e.g. `user.created`.
    pub kind: Arc<str>,
    /// What the event is about (a member's or user's id), where the preset says where to find it.
    pub subject: Option<Arc<str>>,
    /// When the sender says it happened; `None` where it does not say.
    pub occurred_at: Option<Timestamp>,
    /// When we received it.
    pub received_at: Timestamp,
    /// The raw body, byte for byte as it arrived.
    pub body: Bytes,
}

impl Event {
    /// The time by which two events about one thing are ordered: the sender's where it gave one, else ours.
    pub fn effective_at(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.received_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_respect_the_floor() {
        let noon = Timestamp::from_second(1_700_000_000).unwrap();
        let later = Timestamp::from_second(1_700_000_001).unwrap();
        assert!(EventId::new(noon) < EventId::new(later));
        assert!(EventId::floor(noon) <= EventId::new(noon));
        assert!(EventId::new(noon) < EventId::floor(later));
    }
}
