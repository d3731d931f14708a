//! How a gateway that waits learns what became of an event.
//!
//! Over RabbitMQ the worker answers to the gateway's reply queue; in one process it tells this registry directly. Either
//! way the row is the truth: a word that is lost costs the waiting gateway one look at the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::{event::EventId, status::Status};

/// What became of an attempt, as far as a waiting sender is concerned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The event's status now.
    pub status: Status,
    /// What the handler wants a waiting sender told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
    /// Class and sentence of the failure, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<OutcomeError>,
}

/// Why an attempt failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutcomeError {
    /// The failure's class, e.g. `member_not_found`.
    pub class: String,
    /// One sentence.
    pub message: String,
}

impl Outcome {
    /// The form that travels over a reply queue.
    pub fn to_bytes(&self) -> Bytes {
        // A status, a JSON value and two strings: nothing in it can fail to serialise.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    /// Reads [`Outcome::to_bytes`]; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

type Waiting = HashMap<EventId, watch::Sender<Option<Outcome>>>;

/// Who waits for which event, in this process.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Arc<Mutex<Waiting>>);

impl Outcomes {
    /// Starts to wait for an event. Begin before it is published, or its outcome may be missed.
    pub fn wait_for(&self, id: EventId) -> Waiter {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = waiting.entry(id).or_insert_with(|| watch::channel(None).0).subscribe();
        Waiter { id, outcomes: self.clone(), receiver }
    }

    /// Tells whoever waits. Telling about an event that nobody waits for is the ordinary case and costs a look-up.
    pub fn tell(&self, id: EventId, outcome: &Outcome) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.get(&id) {
            sender.send_replace(Some(outcome.clone()));
        }
    }
}

/// One who waits. Dropping it ends the wait.
#[derive(Debug)]
pub struct Waiter {
    id: EventId,
    outcomes: Outcomes,
    receiver: watch::Receiver<Option<Outcome>>,
}

impl Waiter {
    /// The outcome, once it is told. Never ends by itself: give it a deadline.
    pub async fn told(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.receiver.borrow_and_update().clone() {
                return outcome;
            }
            if self.receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.outcomes.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This receiver still counts as one.
        if waiting.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn everyone_who_waits_is_told_and_nobody_is_remembered_afterwards() {
        let outcomes = Outcomes::default();
        let id = EventId::new(Timestamp::UNIX_EPOCH);
        let (mut one, mut two) = (outcomes.wait_for(id), outcomes.wait_for(id));
        let outcome = Outcome { status: Status::Succeeded, reply: None, error: None };
        outcomes.tell(id, &outcome);
        assert_eq!((one.told().await, two.told().await), (outcome.clone(), outcome));
        drop((one, two));
        assert!(outcomes.0.lock().unwrap().is_empty());
    }
}
