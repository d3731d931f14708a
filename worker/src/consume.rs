//! *Consume*: takes deliveries, lets the fairest one run as soon as there is a permit, and drains when told to stop.
//!
//! A source that fills all that this worker may hold, and moves slowly, hides the others behind it in the broker's
//! queue: what of it has waited too long is parked on the shortest delay level, at no cost of an attempt. Where the
//! store is the queue, the claim simply leaves such a source out.

use std::{sync::Arc, time::Duration};

use lychgate_common::{
    queue::{Delivery, Intake, Published, Queue, Route},
    stop::Stop,
};
use tokio::sync::Semaphore;

use crate::{attempt, house::House, waiting::Waiting};

/// A delivery that waits longer than this in memory, with no room left beside it, is in the others' way.
const CROWDED: Duration = Duration::from_secs(2);
/// How often to look whether it is crowded.
const LOOK: Duration = Duration::from_millis(50);

/// Consumes until stopped, then waits for what is under way, within the drain deadline.
pub(crate) async fn consume(house: Arc<House>, stop: Stop) {
    let worker = &house.settings.worker;
    let concurrency = usize::from(worker.concurrency);
    let prefetch = usize::from(worker.prefetch());
    let intake = Intake { prefetch: worker.prefetch(), lease: worker.lease };
    let mut deliveries = house.queue.consume(intake, stop.token());
    let permits = Arc::new(Semaphore::new(concurrency));
    let mut waiting = Waiting::new(worker.retry_share.of(concurrency));
    let mut look = tokio::time::interval(LOOK);
    let mut left_out = Vec::new();
    let mut crowded = false;
    loop {
        tokio::select! {
            delivery = deliveries.next(), if waiting.len() < prefetch => match delivery {
                Some(delivery) => waiting.push(delivery),
                None => break,
            },
            permit = Arc::clone(&permits).acquire_owned(), if !waiting.is_empty() => {
                let (Ok(permit), Some((delivery, place))) = (permit, waiting.pick()) else { break };
                let house = Arc::clone(&house);
                tokio::spawn(async move {
                    attempt::attempt(&house, delivery).await;
                    drop((place, permit));
                });
            }
            _ = look.tick() => {
                let in_memory = waiting.len() + concurrency - permits.available_permits();
                match &house.queue {
                    // Once it is crowded, what comes next is most likely more of the same: it need not grow old first.
                    Queue::Broker(_) if in_memory >= prefetch && (crowded || waiting.oldest() > CROWDED) => {
                        crowded = true;
                        park(&house, waiting.crowd()).await;
                    }
                    Queue::Broker(_) => crowded = crowded && in_memory > concurrency,
                    Queue::Store(queue) => {
                        let saturated = waiting.saturated(worker.source_share.of(prefetch));
                        if saturated != left_out {
                            queue.leave_out(saturated.clone());
                            left_out = saturated;
                        }
                    }
                }
            }
            () = stop.stopping() => break,
        }
    }
    drop(deliveries);
    give_back(&house, waiting).await;
    let all = u32::try_from(concurrency).unwrap_or(u32::MAX);
    tokio::select! {
        drained = permits.acquire_many(all) => drop(drained),
        () = stop.now() => tracing::warn!("stopped with attempts under way; they will be made again"),
    }
}

/// Puts deliveries on the shortest delay level, as they are. What cannot be put there is kept for the sweeper.
async fn park(house: &House, crowd: Vec<Delivery>) {
    if crowd.is_empty() {
        return;
    }
    let batch = crowd.iter().map(|delivery| (delivery.message.clone(), Route::Level(0))).collect();
    let verdicts = house.queue.publish(batch).await;
    tracing::debug!(events = crowd.len(), "a crowded source's events wait a moment, so that others are seen");
    for (delivery, verdict) in crowd.into_iter().zip(verdicts) {
        house.metrics.parked(&delivery.message.event.source);
        // Parked or not: its row is open and its time will pass, so the sweeper has it either way. Without a row the
        // receipt is dropped undone, and the broker keeps it.
        if verdict == Published::Confirmed || delivery.message.unrecorded.is_none() {
            delivery.receipt.done();
        }
    }
}

/// Stopping: what has not begun goes back to the queue, and has cost no attempt.
async fn give_back(house: &House, mut waiting: Waiting) {
    let mut ids = Vec::new();
    while let Some((delivery, _place)) = waiting.pick() {
        ids.push(delivery.message.id());
    }
    if ids.is_empty() {
        return;
    }
    if let Queue::Store(_) = house.queue
        && let Err(error) = house.store.release(&ids, house.clock.now()).await
    {
        tracing::warn!(%error, "claimed events could not be given back; others take them when the lease ends");
    }
}
