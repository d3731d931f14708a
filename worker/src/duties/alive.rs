//! Shows that this worker is alive, and how far it has consumed.

use std::{sync::Arc, time::Duration};

use lychgate_common::queue::Queue;

use crate::house::House;

/// Three beats fit into the half minute after which a worker is missed.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// One beat.
pub(crate) async fn beat(house: Arc<House>) {
    if let Err(error) = house.store.beat(&house.name, house.started_at).await {
        tracing::warn!(%error, "the heartbeat could not be written");
        return;
    }
    let Queue::Broker(broker) = &house.queue else { return };
    let progress = broker.progress();
    if progress.is_empty() {
        return;
    }
    if let Err(error) = house.store.note_progress(&progress).await {
        tracing::warn!(%error, "the queue's progress could not be noted; the sweeper waits for an empty queue");
    }
}
