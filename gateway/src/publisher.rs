//! Wakes the workers, off the sender's path: takes what was recorded and publishes it in closed batches.
//!
//! What is not confirmed is marked, so that the sweeper takes it; if even the mark fails, the row's own grace brings it
//! back. Memory is bounded: a message keeps its place until its verdict is there, and with no place left an event is
//! recorded as unpublished instead. Never answers a sender.

use std::{sync::Arc, time::Duration};

use lychgate_common::{
    message::Message,
    queue::{Published, Queue, Route},
    store::Store,
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::metrics::Metrics;

/// Messages that may be without a verdict: a second's worth at the rate one broker takes them.
const PLACES: u32 = 16_384;
/// Messages in one batch: a larger window gains little and delays the verdict on each.
const BATCH: usize = 500;
/// Batches under way at once, so that the next is written while the last is being confirmed.
const TASKS: usize = 3;

/// The door to the publishing tasks.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    // As long as there are places: each message brings its own.
    door: mpsc::UnboundedSender<Handed>,
    places: Arc<Semaphore>,
}

/// A place among the messages to publish, taken before the event is recorded.
#[derive(Debug)]
pub(crate) struct Place {
    door: mpsc::UnboundedSender<Handed>,
    permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Handed {
    message: Message,
    route: Route,
    /// Given back once the verdict is there and, where it is a bad one, noted.
    place: OwnedSemaphorePermit,
}

impl Place {
    /// Publishes soon. The verdict is the publisher's business.
    pub(crate) fn publish(self, message: Message, route: Route) {
        // The tasks live as long as the process, and so does their end of the channel.
        let _ = self.door.send(Handed { message, route, place: self.permit });
    }
}

impl Publisher {
    pub(crate) fn start(queue: Queue, store: Store, metrics: Metrics) -> Self {
        let (door, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..TASKS {
            tokio::spawn(publish(queue.clone(), store.clone(), metrics.clone(), Arc::clone(&waiting)));
        }
        Self { door, places: Arc::new(Semaphore::new(crate::house::count(PLACES))) }
    }

    /// A place, unless too many are taken.
    pub(crate) fn place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { door: self.door.clone(), permit })
    }

    /// Waits until everything handed over has its verdict; used when stopping.
    pub(crate) async fn drained(&self, within: Duration) {
        // Too slow: what is left is swept later.
        let _ = tokio::time::timeout(within, self.places.acquire_many(PLACES)).await;
    }
}

async fn publish(queue: Queue, store: Store, metrics: Metrics, waiting: Arc<Mutex<mpsc::UnboundedReceiver<Handed>>>) {
    loop {
        let mut handed = Vec::new();
        if waiting.lock().await.recv_many(&mut handed, BATCH).await == 0 {
            return;
        }
        let ids: Vec<_> = handed.iter().map(|one| (one.message.id(), one.message.attempt)).collect();
        let (batch, _places): (Vec<_>, Vec<_>) =
            handed.into_iter().map(|one| ((one.message, one.route), one.place)).unzip();
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
