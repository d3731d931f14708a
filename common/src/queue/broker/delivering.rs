//! What comes out of the main and side queues, and how far each has been consumed.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{acker::Receipt, codec, consumer::Sink};
use crate::{
    event::Attempt,
    queue::{Delivery, Receipt as AnyReceipt, ReceiptKind, Shard, Shards},
};

/// How far each shard's queue of one lane has been consumed by this process, in microseconds of `received_at`.
#[derive(Debug)]
pub(super) struct Progress(Vec<(Shard, AtomicI64)>);

impl Progress {
    pub(super) fn new(shards: Shards) -> Self {
        Self(shards.all().map(|shard| (shard, AtomicI64::new(i64::MIN))).collect())
    }

    fn slot(&self, shard: Shard) -> Option<&AtomicI64> {
        self.0.iter().find(|(own, _)| *own == shard).map(|(_, through)| through)
    }

    /// Only first attempts tell: a retry comes back from a delay level with an old time of receipt.
    pub(super) fn note(&self, shard: Shard, received_at: Timestamp) {
        if let Some(through) = self.slot(shard) {
            through.fetch_max(received_at.as_microsecond(), Ordering::Relaxed);
        }
    }

    pub(super) fn through(&self, shard: Shard) -> Option<Timestamp> {
        self.slot(shard).and_then(read)
    }

    pub(super) fn all(&self) -> Vec<(Shard, Timestamp)> {
        self.0.iter().filter_map(|(shard, through)| Some((*shard, read(through)?))).collect()
    }
}

fn read(through: &AtomicI64) -> Option<Timestamp> {
    match through.load(Ordering::Relaxed) {
        i64::MIN => None,
        micros => Timestamp::from_microsecond(micros).ok(),
    }
}

/// Which of a shard's two queues a message comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// The main queue.
    Main,
    /// The side queue.
    Aside,
}

/// Decodes and hands over.
#[derive(Clone)]
pub(super) struct Delivering {
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) main: Arc<Progress>,
    pub(super) aside: Arc<Progress>,
}

impl Sink for Delivering {
    type Queue = Lane;

    async fn take(&self, lane: &Lane, delivery: lapin::message::Delivery, receipt: Receipt) -> bool {
        let redelivered = delivery.redelivered || codec::delivery_count(&delivery.properties) > 0;
        match codec::decode(&delivery.properties, delivery.data) {
            Ok(message) => {
                if message.attempt == Attempt::FIRST {
                    let progress = match lane {
                        Lane::Main => &self.main,
                        Lane::Aside => &self.aside,
                    };
                    progress.note(message.shard, message.event.received_at);
                }
                let receipt = AnyReceipt(ReceiptKind::Broker(receipt));
                let aside = *lane == Lane::Aside;
                self.deliveries.send(Delivery { message, redelivered, aside, receipt }).await.is_ok()
            }
            Err(poison) => {
                // Through the dead queue it reaches the store like every other message that cannot be processed.
                tracing::error!(event = ?poison.id, why = poison.why, "an unreadable message goes to the dead queue");
                receipt.unreadable();
                true
            }
        }
    }
}
