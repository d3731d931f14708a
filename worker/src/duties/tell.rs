//! Deliveries that were made of settled events: published soon after their commit, many at once.
//!
//! Also asks, every half second, whether any webhook is told of events at all, so that an installation without any pays
//! nothing. What is not published here, the sweeper or a claim finds.

use std::{sync::Arc, time::Duration};

use lychgate_common::{
    message::Message,
    queue::{Published, Route},
    stop::Stop,
};

use crate::house::House;

/// Less than whoever makes the first webhook waits for its answer (`common/src/webhook/desk.rs`).
pub(crate) const EVERY: Duration = Duration::from_millis(500);

/// Messages in one batch, as the gateway's publisher has it.
const BATCH: usize = 500;

/// Whether anybody is to be told.
pub(crate) async fn look(house: Arc<House>) {
    match house.store.any_webhook().await {
        Ok(anybody) => house.emitter.somebody(anybody),
        Err(error) => tracing::warn!(%error, "whether there are webhooks could not be asked; the last answer holds"),
    }
}

/// Publishes until stopped.
pub(crate) async fn publish(house: Arc<House>, stop: Stop) {
    let mut emitted = house.emitted.lock().await;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            _ = emitted.recv_many(&mut batch, BATCH) => send(&house, batch).await,
            () = stop.stopping() => return,
        }
    }
}

/// Publishes what the last attempts have made, when no more is to come.
pub(crate) async fn rest(house: &House) {
    let mut emitted = house.emitted.lock().await;
    let mut batch = Vec::new();
    while let Ok(message) = emitted.try_recv() {
        batch.push(message);
    }
    send(house, batch).await;
}

async fn send(house: &House, batch: Vec<Message>) {
    if batch.is_empty() {
        return;
    }
    let ids: Vec<_> = batch.iter().map(|message| (message.id(), message.attempt)).collect();
    let batch = batch.into_iter().map(|message| (message.slimmed(), Route::Main)).collect();
    let unpublished = Published::unconfirmed(&ids, &house.queue.publish(batch).await);
    if let Err(error) = house.store.mark_unpublished(&unpublished).await {
        tracing::warn!(%error, "deliveries that were not published could not be marked; they are swept after their grace");
    }
}
