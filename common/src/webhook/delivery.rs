//! A delivery in the making: an event of the ledger, so that it has the house's schedule, dead letters and replay.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::SOURCE;
use crate::{
    event::{Event, EventId},
    queue::Shards,
    source::JSON,
    store::{Keys, NewEvent},
};

/// The preset of deliveries: picks their handler.
pub const DELIVERY_PRESET: &str = "webhook-delivery";

/// One event on its way to one webhook.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: EventId,
    /// Whose: the tenant.
    pub webhook: Arc<str>,
    /// The event's type.
    pub kind: Arc<str>,
    /// The event's id, or [`TEST`](super::TEST).
    pub subject: Arc<str>,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// The envelope.
    pub body: Bytes,
    /// W3C `traceparent` of the request that brought the event.
    pub traceparent: Option<String>,
}

impl Delivery {
    /// As it is recorded. Nothing identifies it: that there is one for each event and webhook, its transaction sees to.
    pub fn recorded(self, shards: Shards, now: Timestamp, due_at: Option<Timestamp>) -> NewEvent {
        NewEvent {
            body_sha256: NewEvent::hash(&self.body),
            event: Event {
                id: self.id,
                source: SOURCE.into(),
                preset: DELIVERY_PRESET.into(),
                tenant: self.webhook,
                kind: self.kind,
                subject: Some(self.subject),
                occurred_at: Some(self.occurred_at),
                received_at: now,
                body: self.body,
            },
            keys: Keys::default(),
            headers: "{}".into(),
            content_type: Some(JSON.to_owned()),
            traceparent: self.traceparent,
            shard: shards.pick(SOURCE, self.id),
            due_at,
        }
    }
}
