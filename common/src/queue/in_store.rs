//! PostgreSQL as the queue: what is due is claimed.

use tokio_util::sync::CancellationToken;

use super::{Deliveries, Intake, Published, Route};
use crate::message::Message;

/// The store as the queue.
#[derive(Clone, Debug)]
pub struct StoreQueue;

/// A claim's right to be released.
#[derive(Debug)]
pub struct Receipt;

impl Receipt {
    pub(super) fn done(self) {}
}

impl StoreQueue {
    pub(super) fn publish(&self, batch: &[(Message, Route)]) -> Vec<Published> {
        batch.iter().map(|_| Published::Confirmed).collect()
    }

    pub(super) fn consume(&self, _intake: Intake, _stop: CancellationToken) -> Deliveries {
        Deliveries(tokio::sync::mpsc::channel(1).1)
    }
}
