//! Events that were accepted while the store was away: the message carries all of them, and there is no row yet.
//!
//! Such a message is the only copy. It is recorded before anything else happens to it, and acknowledged only once that
//! is committed, or once another copy of it is safe.

use jiff::SignedDuration;
use lychgate_common::{
    message::Message,
    queue::{Published, Receipt, Route},
    store::{NewEvent, Recorded, Recorder, StoreError, Write},
};

use crate::house::House;

/// What became of a late event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Late {
    /// It has its row now.
    Recorded,
    /// It repeats an event that we have; there is nothing to do.
    Known,
}

/// Makes the row.
pub(crate) async fn record(house: &House, message: &Message) -> Result<Late, StoreError> {
    let id = message.id();
    let grace = SignedDuration::try_from(house.settings.sweep.grace).unwrap_or(SignedDuration::MAX);
    let Some(event) = NewEvent::unrecorded(message, house.clock.now() + grace) else { return Ok(Late::Recorded) };
    // The gateway's commit may have succeeded although it did not hear so.
    if house.store.event_source(id).await?.is_some() {
        return Ok(Late::Recorded);
    }
    let window = SignedDuration::try_from(house.settings.retention.keys).unwrap_or(SignedDuration::MAX);
    let recorded = Recorder::new(house.store.clone(), window).write(&[event]).await?;
    match recorded.first() {
        Some(Recorded::New) | None => Ok(Late::Recorded),
        Some(Recorded::Duplicate(first)) => {
            tracing::info!(event = %id, %first, "accepted while the store was away, and known already");
            Ok(Late::Known)
        }
        Some(Recorded::Conflict(first)) => {
            tracing::error!(event = %id, %first, "accepted while the store was away, under a key of another body: dropped");
            Ok(Late::Known)
        }
    }
}

/// The store is still away: the message waits on the shortest level, whole. Where that is not confirmed, the broker
/// keeps this copy.
pub(crate) async fn put_off(house: &House, message: Message, receipt: Receipt, why: &StoreError) {
    tracing::warn!(event = %message.id(), error = %why, "an event without a row waits for the store");
    house.metrics.released(&message.event.source);
    if house.queue.publish(vec![(message, Route::Level(0))]).await.first() == Some(&Published::Confirmed) {
        receipt.done();
    }
}
