//! Strays: messages that the broker gave up on (delivery limit) or that reached no shard.
//!
//! The broker's dead-letter queue is no graveyard here. A stray's event is still open in the store, which knows better
//! how often it was really tried: it is marked for the sweeper, and what kills its worker is found out when it is
//! claimed again. Bytes that are no message are logged and dropped, because their event, if there is one, is a row too.

use std::sync::Arc;

use lychgate_common::{message::Message, queue::broker::Stray};
use tokio::sync::mpsc;

use crate::{house::House, late};

/// Buries strays until the queue's end.
pub(crate) async fn bury(house: Arc<House>, mut strays: mpsc::Receiver<Stray>) {
    while let Some(stray) = strays.recv().await {
        house.metrics.stray();
        match &stray.message {
            Ok(message) if message.unrecorded.is_some() => {
                if let Err(error) = late::record(&house, message).await {
                    tracing::warn!(event = %message.id(), %error, "not recorded yet; the broker keeps it");
                    continue;
                }
                mark(&house, message).await;
            }
            Ok(message) => {
                tracing::warn!(event = %message.id(), reason = stray.reason.as_deref().unwrap_or("unknown"), "a stray message; its event is swept");
                mark(&house, message).await;
            }
            Err(poison) => tracing::error!(?poison, "bytes on the queue that are no message"),
        }
        stray.receipt.done();
    }
}

async fn mark(house: &House, message: &Message) {
    if let Err(error) = house.store.mark_unpublished(&[(message.id(), message.attempt)]).await {
        tracing::warn!(event = %message.id(), %error, "not marked; it is swept after its grace");
    }
}
