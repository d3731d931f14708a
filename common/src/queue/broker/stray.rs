//! Draining the dead and the orphan queue, so that what the broker gave up on reaches the store.
//!
//! A broker's reason is not ours: after twenty crashes of a worker innocent messages lie here beside the guilty one.
//! Who drains must judge by the row.

use tokio::sync::mpsc;

use super::{
    acker::Receipt,
    codec::{self, Poison},
    consumer::Sink,
};
use crate::{
    message::Message,
    queue::{Receipt as AnyReceipt, ReceiptKind},
};

/// Where a stray was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StrayQueue {
    /// Rejected as unreadable, or delivered too often.
    Dead,
    /// Came back from a delay to a shard that is not there (any more).
    Orphan,
}

/// A message that the broker gave up on.
#[derive(Debug)]
pub struct Stray {
    /// Where it was found.
    pub queue: StrayQueue,
    /// What it was, as far as it can be read.
    pub message: Result<Message, Poison>,
    /// The broker's reason: `rejected`, `delivery_limit`, `expired`.
    pub reason: Option<String>,
    /// To be done once the store has it.
    pub receipt: AnyReceipt,
}

#[derive(Clone)]
pub(super) struct Straying(pub(super) mpsc::Sender<Stray>);

impl Sink for Straying {
    type Queue = StrayQueue;

    async fn take(&self, queue: &StrayQueue, delivery: lapin::message::Delivery, receipt: Receipt) -> bool {
        let stray = Stray {
            queue: *queue,
            reason: codec::death(&delivery.properties),
            message: codec::decode(&delivery.properties, delivery.data),
            receipt: AnyReceipt(ReceiptKind::Broker(receipt)),
        };
        self.0.send(stray).await.is_ok()
    }
}
