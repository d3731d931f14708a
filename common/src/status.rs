//! What can become of an event.
//!
//! The same list stands in PostgreSQL as the enum `event_status` (a test compares them). A status changes only through
//! the conditional methods of [`crate::store`].

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, ToSql};

/// An event's status, in the store, the API, the metrics and the console alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSql, FromSql)]
#[serde(rename_all = "snake_case")]
#[postgres(name = "event_status")]
pub enum Status {
    /// Durable and waiting for its first attempt. Set by the gateway's *record*.
    #[postgres(name = "accepted")]
    Accepted,
    /// An attempt failed for a passing reason, or an operator replays it; waiting for the next attempt.
    #[postgres(name = "retrying")]
    Retrying,
    /// Its changes are committed. Final.
    #[postgres(name = "succeeded")]
    Succeeded,
    /// Understood, and nothing to do (an event type the handler has no use for). Final.
    #[postgres(name = "ignored")]
    Ignored,
    /// Cannot be processed; waits for an operator, who replays or discards it.
    #[postgres(name = "dead")]
    Dead,
    /// An operator decided that it shall not be processed. Final.
    #[postgres(name = "discarded")]
    Discarded,
}

impl Status {
    /// All of them, in the order in which PostgreSQL's enum declares them.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Retrying, Self::Succeeded, Self::Ignored, Self::Dead, Self::Discarded];

    /// The name in the store, the API and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }

    /// Whether a worker still has something to do with it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::Retrying)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|status| status.name()).collect();
            format!("unknown status `{text}`: one of {}", names.join(", "))
        })
    }
}
