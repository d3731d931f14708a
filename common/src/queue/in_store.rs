//! PostgreSQL as the queue: what is due is claimed, under a lease.
//!
//! A publish only wakes this process's own consumer: the row, with its due time, is the entry already. Other processes
//! find it by polling. Nothing here holds a connection while it waits.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{Deliveries, Delivery, Intake, Published, ReceiptKind, Route};
use crate::{event::EventId, message::Message, store::Store};

/// How soon to look again after something was found: work comes in bursts.
const SHORTEST: Duration = Duration::from_millis(50);

/// How often to look while nothing comes. A retry is late by at most this.
const LONGEST: Duration = Duration::from_secs(1);

/// The store as the queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreQueue {
    store: Store,
    wake: Arc<Notify>,
    saturated: Arc<RwLock<Vec<String>>>,
}

/// A claim's place among those that this worker may hold.
#[derive(Debug)]
pub struct Receipt {
    _place: OwnedSemaphorePermit,
}

impl Receipt {
    /// Settling the attempt has released the claim already; only the place becomes free.
    pub(super) fn done(self) {}
}

impl StoreQueue {
    /// The queue of `store`; `wake` is notified by whoever makes a row due now in this process.
    pub fn open(store: Store, wake: Arc<Notify>) -> Self {
        Self { store, wake, saturated: Arc::default() }
    }

    /// Sources to leave alone for now, because they have their share of this worker already.
    pub fn leave_out(&self, sources: Vec<String>) {
        *self.saturated.write().unwrap_or_else(PoisonError::into_inner) = sources;
        self.wake.notify_one();
    }

    /// Wakes this process's consumer: a row is due now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn publish(&self, batch: &[(Message, Route)]) -> Vec<Published> {
        self.wake.notify_one();
        batch.iter().map(|_| Published::Confirmed).collect()
    }

    pub(super) fn consume(&self, intake: Intake, stop: CancellationToken) -> Deliveries {
        let (deliveries, receiver) = mpsc::channel(1);
        let places = Arc::new(Semaphore::new(usize::from(intake.prefetch.max(1))));
        let queue = self.clone();
        tokio::spawn(async move { queue.claim(&places, intake.lease, deliveries, stop).await });
        Deliveries(receiver)
    }

    /// Claims and hands over until stopped; gives back what it claimed and could not hand over.
    async fn claim(
        &self,
        places: &Arc<Semaphore>,
        lease: Duration,
        deliveries: mpsc::Sender<Delivery>,
        stop: CancellationToken,
    ) {
        let mut pause = SHORTEST;
        loop {
            let free = tokio::select! {
                free = free_places(places) => free,
                () = stop.cancelled() => return,
                () = deliveries.closed() => return,
            };
            let wanted = free.len();
            let saturated = self.saturated.read().unwrap_or_else(PoisonError::into_inner).clone();
            let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
            let claimed = match self.store.claim_due(limit, lease, &saturated).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "no events can be claimed");
                    pause = LONGEST;
                    Vec::new()
                }
            };
            let found = claimed.len();
            let mut claimed = claimed.into_iter().zip(free);
            loop {
                // The slot first: a claim that stopping interrupts must not be lost inside a send.
                let slot = tokio::select! {
                    slot = deliveries.reserve() => slot.ok(),
                    () = stop.cancelled() => None,
                };
                let Some(slot) = slot else {
                    self.give_back(claimed.map(|((message, _), _)| message.id()).collect()).await;
                    return;
                };
                let Some(((message, redelivered), place)) = claimed.next() else { break };
                let receipt = super::Receipt(ReceiptKind::Store(Receipt { _place: place }));
                slot.send(Delivery { message, redelivered, aside: false, receipt });
            }
            // A full claim means that more may be due: then only the free places are waited for.
            if found == wanted {
                pause = SHORTEST;
                continue;
            }
            tokio::select! {
                () = self.wake.notified() => pause = SHORTEST,
                () = sleep(pause) => pause = if found > 0 { SHORTEST } else { (pause * 2).min(LONGEST) },
                () = stop.cancelled() => return,
                () = deliveries.closed() => return,
            }
        }
    }

    async fn give_back(&self, ids: Vec<EventId>) {
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(&ids, self.store.clock().now()).await {
            tracing::warn!(%error, count = ids.len(), "claims could not be given back; their leases will run out");
        }
    }
}

/// Waits for one free place and takes all that there are.
async fn free_places(places: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut free = Vec::new();
    // The semaphore is never closed; if it were, nothing would be claimed.
    free.extend(Arc::clone(places).acquire_owned().await);
    while let Ok(place) = Arc::clone(places).try_acquire_owned() {
        free.push(place);
    }
    free
}
