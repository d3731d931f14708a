//! Wakes the workers, off the sender's path: takes what was recorded and publishes it in closed batches.
//!
//! What is not confirmed is marked, so that the sweeper takes it; if even the mark fails, the row's own grace brings it
//! back. Memory is bounded: with no place left an event is recorded as unpublished instead. Never answers a sender.

use std::time::Duration;

use lychgate_common::{
    message::Message,
    queue::{Published, Queue, Route},
    store::Store,
};
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// Messages that may wait to be published: a second's worth at the rate one broker takes them.
const WAITING: usize = 16_384;
/// Messages in one batch: a larger window gains little and delays the verdict on each.
const BATCH: usize = 500;
/// Batches under way at once, so that the next is written while the last is being confirmed.
const TASKS: usize = 3;

/// The door to the publishing tasks.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    door: mpsc::Sender<(Message, Route)>,
}

/// A place among the messages to publish, taken before the event is recorded.
#[derive(Debug)]
pub(crate) struct Place(mpsc::OwnedPermit<(Message, Route)>);

impl Place {
    /// Publishes soon. The verdict is the publisher's business.
    pub(crate) fn publish(self, message: Message, route: Route) {
        self.0.send((message, route));
    }
}

impl Publisher {
    pub(crate) fn start(queue: Queue, store: Store, metrics: Metrics) -> Self {
        let (door, waiting) = mpsc::channel(WAITING);
        let waiting = std::sync::Arc::new(tokio::sync::Mutex::new(waiting));
        for _ in 0..TASKS {
            tokio::spawn(publish(queue.clone(), store.clone(), metrics.clone(), std::sync::Arc::clone(&waiting)));
        }
        Self { door }
    }

    /// A place, unless too many are waiting.
    pub(crate) fn place(&self) -> Option<Place> {
        self.door.clone().try_reserve_owned().ok().map(Place)
    }

    /// Waits until everything handed over has been taken up by a task; used when stopping.
    pub(crate) async fn drained(&self, within: Duration) {
        let all_places = self.door.reserve_many(WAITING);
        // Too slow: what is left is swept later.
        let _ = tokio::time::timeout(within, all_places).await;
    }
}

async fn publish(
    queue: Queue,
    store: Store,
    metrics: Metrics,
    waiting: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<(Message, Route)>>>,
) {
    loop {
        let mut batch = Vec::new();
        if waiting.lock().await.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let ids: Vec<_> = batch.iter().map(|(message, _)| (message.id(), message.attempt)).collect();
        let verdicts = queue.publish(batch).await;
        verdicts.iter().for_each(|verdict| metrics.published(*verdict));
        let unpublished = Published::unconfirmed(&ids, &verdicts);
        if unpublished.is_empty() {
            continue;
        }
        tracing::warn!(events = unpublished.len(), "publishing was not confirmed; the sweeper will publish them again");
        if let Err(error) = store.mark_unpublished(&unpublished).await {
            tracing::warn!(%error, "unpublished events could not be marked; they are swept after their grace");
        }
    }
}
