//! One event on its way from the gateway to a worker: what the queue carries.
//!
//! The row in PostgreSQL is the truth; a message only wakes a worker and saves it a read. It never decides whether an
//! event is processed: the attempt's number, compared with the row's when the attempt is settled, does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Attempt, Event, EventId},
    queue::Shard,
    source::OnConflict,
};

/// Bodies over this many bytes are left in the row and fetched from there: a broker is no file store.
pub const INLINE_BODY_LIMIT: usize = 16 * 1024;

/// An event together with what the queue needs to know about it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The event, its body included unless [`Message::body_in_store`].
    pub event: Event,
    /// The body was larger than [`INLINE_BODY_LIMIT`]; `event.body` is empty until it is fetched.
    pub body_in_store: bool,
    /// Which attempt this message asks for. A copy whose number is not the row's is dropped.
    pub attempt: Attempt,
    /// How many levels of the retry schedule this event has climbed since it was accepted or last replayed: 0 at first.
    pub climbed: u8,
    /// Which shard's queue it belongs to.
    pub shard: Shard,
    /// W3C `traceparent` of the request that brought the event, where there was one.
    pub traceparent: Option<Arc<str>>,
    /// Name of the reply queue of a gateway that waits for the outcome.
    pub reply_to: Option<Arc<str>>,
    /// Set where the store was away when the event was accepted: there is no row yet, and this message is the promise.
    /// Whoever receives it records it first, and acknowledges it only then.
    pub unrecorded: Option<Box<Unrecorded>>,
}

/// What must be recorded with an event that has no row yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unrecorded {
    /// The idempotency key.
    pub key: Option<String>,
    /// Also recognise the body under another key.
    pub body_guard: bool,
    /// For how long; `None`: as long as keys are kept.
    #[serde(default)]
    pub body_guard_window: Option<Duration>,
    /// What it means if the key turns out to be that of another body.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// Header names to values, without credentials, as JSON text.
    pub headers: String,
    /// The request's content type.
    pub content_type: Option<String>,
}

impl Message {
    /// The event's id, which is also the AMQP `message_id`.
    pub fn id(&self) -> EventId {
        self.event.id
    }

    /// Empties the body where it is too large for the queue and stands in a row.
    #[must_use]
    pub fn slimmed(mut self) -> Self {
        if self.event.body.len() > INLINE_BODY_LIMIT && self.unrecorded.is_none() {
            self.event.body = Bytes::new();
            self.body_in_store = true;
        }
        self
    }
}
