//! *Decode*: a delivery becomes an event with its body.
//!
//! The message itself was decoded by the queue; what is left is to record an event that was accepted while the store was
//! away, and to fetch a body that was too large to travel.

use lychgate_common::{
    message::Message,
    queue::{Delivery, Receipt},
};

use crate::{
    attempt::settle,
    house::House,
    late::{self, Late},
};

/// A message with its body, and the duty to acknowledge it.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) message: Message,
    pub(crate) redelivered: bool,
    pub(crate) receipt: Receipt,
}

/// Completes the message; `None` where there is nothing to do any more.
pub(crate) async fn decode(house: &House, delivery: Delivery) -> Option<Decoded> {
    let Delivery { mut message, redelivered, receipt, aside: _ } = delivery;
    if message.unrecorded.is_some() {
        match late::record(house, &message).await {
            Ok(Late::Recorded) => message.unrecorded = None,
            Ok(Late::Known) => {
                receipt.done();
                return None;
            }
            Err(error) => {
                late::put_off(house, message, receipt, &error).await;
                return None;
            }
        }
    }
    if message.body_in_store {
        match house.store.body(message.id()).await {
            Ok(Some(body)) => {
                message.event.body = body;
                message.body_in_store = false;
            }
            Ok(None) => {
                tracing::warn!(event = %message.id(), "retention was faster than the queue: the event is gone");
                receipt.done();
                return None;
            }
            Err(error) => {
                settle::release(house, message, receipt, &error.to_string()).await;
                return None;
            }
        }
    }
    Some(Decoded { message, redelivered, receipt })
}
