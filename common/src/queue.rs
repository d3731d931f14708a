//! The seam behind which a queue stands: RabbitMQ ([`broker`]), or PostgreSQL itself ([`in_store`]).
//!
//! A queue only wakes. Whatever it loses, strands or repeats, the sweeper and the attempt's number make good, so
//! nothing here promises more than "soon, at least once". One contract suite (`tests/flow/queue_contract.rs`) runs on
//! both kinds.

pub mod broker;
pub mod in_store;
mod schedule;
mod shard;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use self::{
    schedule::{RetrySchedule, ScheduleError},
    shard::{Shard, Shards},
};
use crate::{
    event::{Attempt, EventId},
    message::Message,
};

/// What became of one publish. Only [`Published::Confirmed`] lets the sweeper rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Published {
    /// The broker has it on a majority of its nodes (or: the row itself is the queue entry).
    Confirmed,
    /// Mandatory and unroutable: the shard's queue or binding is missing.
    Returned,
    /// Negatively acknowledged: the queue is full or the node is in trouble.
    Refused,
    /// No answer in time, or the connection is gone: it may or may not arrive.
    Unknown,
}

impl Published {
    /// Those of the published that the sweeper must take: all that was not confirmed.
    pub fn unconfirmed(published: &[(EventId, Attempt)], verdicts: &[Self]) -> Vec<(EventId, Attempt)> {
        let open = published.iter().zip(verdicts).filter(|(_, verdict)| **verdict != Self::Confirmed);
        open.map(|(attempt, _)| *attempt).collect()
    }

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Returned => "returned",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// To its shard's main queue, now.
    Main,
    /// To its shard's side queue, now: where what crowds a worker waits without hiding the others.
    Aside,
    /// To a delay level of the schedule (0 is the shortest), whence it returns to its shard's main queue.
    Level(u8),
}

/// How a queue feels, for health, metrics and the gateway's choice whether to publish at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueState {
    /// Connected, topology as it should be.
    Up,
    /// Events are accepted and wait in the store; the text says why, for an operator.
    Degraded(Arc<str>),
}

impl QueueState {
    /// Whether a publish has a chance.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}

/// How much a worker takes at once.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    /// Messages that may be with this worker unsettled: 2 × concurrency, at most 300.
    pub prefetch: u16,
    /// How long a claim in the store holds before others may take the event (ignored by RabbitMQ, which knows by the
    /// connection). Longer than the handler's deadline.
    pub lease: Duration,
}

/// A message in a worker's hands. Dropping it undone leaves it to be delivered again.
#[derive(Debug)]
pub struct Delivery {
    /// What was delivered.
    pub message: Message,
    /// It has been delivered before and not settled: its worker may have died of it.
    pub redelivered: bool,
    /// It came from a side queue, and is not put aside again.
    pub aside: bool,
    /// The right, and the duty, to say that it is done.
    pub receipt: Receipt,
}

/// The duty to acknowledge a delivery once its attempt is settled in the store.
#[derive(Debug)]
#[must_use = "an event whose receipt is dropped is delivered again"]
pub struct Receipt(ReceiptKind);

#[derive(Debug)]
enum ReceiptKind {
    Broker(broker::Receipt),
    Store(in_store::Receipt),
}

impl Receipt {
    /// Settled: the queue may forget it. Acknowledgements are gathered and sent with `multiple` where possible.
    pub fn done(self) {
        match self.0 {
            ReceiptKind::Broker(receipt) => receipt.done(),
            ReceiptKind::Store(receipt) => receipt.done(),
        }
    }
}

/// Either kind of queue.
#[derive(Clone, Debug)]
pub enum Queue {
    /// RabbitMQ.
    Broker(broker::Broker),
    /// The store is the queue.
    Store(in_store::StoreQueue),
}

impl Queue {
    /// Publishes a closed batch and says what became of each message, in the order given. Never waits longer than the
    /// queue's own deadline.
    pub async fn publish(&self, batch: Vec<(Message, Route)>) -> Vec<Published> {
        match self {
            Self::Broker(broker) => broker.publish(batch).await,
            Self::Store(queue) => queue.publish(&batch),
        }
    }

    /// Starts to consume every shard. The stream of deliveries ends only when `stop` is cancelled; a lost connection is
    /// rebuilt behind it.
    pub fn consume(&self, intake: Intake, stop: CancellationToken) -> Deliveries {
        match self {
            Self::Broker(broker) => broker.consume(intake, stop),
            Self::Store(queue) => queue.consume(intake, stop),
        }
    }

    /// Whether an event may be entrusted to it that has no row: to a broker that can be published to, whatever becomes of
    /// what this process consumes.
    pub fn takes_whole_events(&self) -> bool {
        match self {
            Self::Broker(broker) => broker.watch().borrow().is_up(),
            Self::Store(_) => false,
        }
    }

    /// How it feels now.
    pub fn state(&self) -> QueueState {
        match self {
            Self::Broker(broker) => broker.state(),
            Self::Store(_) => QueueState::Up,
        }
    }
}

/// The deliveries of one consumer.
#[derive(Debug)]
pub struct Deliveries(tokio::sync::mpsc::Receiver<Delivery>);

impl Deliveries {
    /// The next one; `None` once the consumer was stopped and everything it had taken has been handed over or returned.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.recv().await
    }
}
