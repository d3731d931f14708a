//! Events that were accepted while the store was away: the message carries all of them, and there is no row yet.
//!
//! Such a message is the only copy. It is recorded before anything else happens to it, and acknowledged only once that
//! is committed, or once another copy of it is safe.

use jiff::SignedDuration;
use lychgate_common::{
    event::EventId,
    message::Message,
    queue::{Published, Receipt, Route},
    source::OnConflict,
    store::{NewEvent, Recorded, Recorder, StoreError, Write},
};

use crate::{attempt::settle, handler::Cause, house::House};

/// What became of a late event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Late {
    /// It has its row now.
    Recorded,
    /// It repeats an event that we have, or is a dead letter already; there is nothing to do.
    Known,
}

/// Makes the row.
pub(crate) async fn record(house: &House, message: &Message) -> Result<Late, StoreError> {
    let id = message.id();
    let grace = SignedDuration::try_from(house.settings.sweep.grace).unwrap_or(SignedDuration::MAX);
    let Some(mut event) = NewEvent::unrecorded(message, house.clock.now() + grace) else { return Ok(Late::Recorded) };
    // The gateway's commit may have succeeded although it did not hear so.
    if house.store.event_source(id).await?.is_some() {
        return Ok(Late::Recorded);
    }
    let window = SignedDuration::try_from(house.settings.retention.keys).unwrap_or(SignedDuration::MAX);
    let recorder = Recorder::new(house.store.clone(), window);
    let recorded = recorder.write(std::slice::from_ref(&event)).await?;
    let on_conflict = message.unrecorded.as_ref().map(|unrecorded| unrecorded.on_conflict).unwrap_or_default();
    match (recorded.first(), on_conflict) {
        (Some(Recorded::New) | None, _) => Ok(Late::Recorded),
        (Some(Recorded::Duplicate(first)), _) | (Some(Recorded::Conflict(first)), OnConflict::Replay) => {
            tracing::info!(event = %id, %first, "accepted while the store was away, and known already");
            Ok(Late::Known)
        }
        (Some(Recorded::Conflict(_)), OnConflict::NewEvent) => {
            event.keys.key = None;
            recorder.write(&[event]).await?;
            Ok(Late::Recorded)
        }
        (Some(Recorded::Conflict(first)), OnConflict::Reject) => {
            event.keys.key = None;
            recorder.write(&[event]).await?;
            conflicts(house, message, *first).await;
            Ok(Late::Known)
        }
    }
}

/// Its sender was told that we have it, so it cannot be refused any more: an operator decides. Should its end not be
/// written, its row is open and it is processed as an event of its own, which is what a replay would make of it.
async fn conflicts(house: &House, message: &Message, first: EventId) {
    let why = format!(
        "its key is that of event {first}, whose body differs: it was accepted while the database was away, when this \
         could not be seen"
    );
    tracing::error!(event = %message.id(), %first, "accepted while the store was away, under a key of another body");
    if let Err(error) = settle::bury(house, message, &Cause::new("key_conflict", why)).await {
        tracing::error!(event = %message.id(), %error, "a dead letter could not be written");
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
