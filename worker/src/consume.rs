//! *Consume*: takes deliveries, lets the fairest one run as soon as there is a permit, and drains when told to stop.
//!
//! A source that fills all that this worker may hold, and moves slowly, hides the others behind it in the broker's main
//! queue. What of it waits is put aside, once, into a side queue that is consumed beside the main one: the others are
//! seen, and the slow source always has work here. Where the store is the queue, the claim simply leaves such a source
//! out.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lychgate_common::{
    queue::{Delivery, Intake, Published, Queue, Route},
    stop::Stop,
};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{attempt, house::House, waiting::Waiting};

/// A delivery that waits longer than this in memory, with no room left beside it, is in the others' way. Long enough
/// that a backlog of quick events never is.
const CROWDED: Duration = Duration::from_millis(500);
/// What comes of a source within this time after some of it was put aside is most likely more of the same, and need not
/// grow old first.
const LASTING: Duration = Duration::from_secs(5);
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
    let attempts = TaskTracker::new();
    let mut waiting = Waiting::new(worker.retry_share.of(concurrency));
    let mut look = tokio::time::interval(LOOK);
    let mut left_out = Vec::new();
    let mut crowding: HashMap<Arc<str>, Instant> = HashMap::new();
    loop {
        tokio::select! {
            // No bound of our own: neither queue delivers more than it may.
            delivery = deliveries.next() => match delivery {
                Some(delivery) => waiting.push(delivery),
                None => break,
            },
            permit = Arc::clone(&permits).acquire_owned(), if !waiting.is_empty() => {
                // The semaphore is never closed, and somebody waits.
                let Some((delivery, place)) = permit.ok().and_then(|permit| waiting.pick(permit)) else { break };
                let house = Arc::clone(&house);
                attempts.spawn(async move { attempt::attempt(&house, delivery, place).await });
            }
            _ = look.tick() => {
                match &house.queue {
                    Queue::Broker(_) if waiting.in_memory() >= prefetch => {
                        crowding.retain(|_, since| since.elapsed() < LASTING);
                        if let Some((source, waited)) = waiting.noisiest()
                            && (waited > CROWDED || crowding.contains_key(&source))
                        {
                            put_aside(&house, waiting.take(&source)).await;
                            crowding.insert(source, Instant::now());
                        }
                    }
                    Queue::Broker(_) => {}
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
    attempts.close();
    tokio::select! {
        () = attempts.wait() => {}
        () = stop.now() => tracing::warn!("stopped with attempts under way; they will be made again"),
    }
}

/// Puts deliveries into the side queue, as they are. What cannot be put there is kept for the sweeper.
async fn put_aside(house: &House, crowd: Vec<Delivery>) {
    if crowd.is_empty() {
        return;
    }
    let batch = crowd.iter().map(|delivery| (delivery.message.clone(), Route::Aside)).collect();
    let verdicts = house.queue.publish(batch).await;
    tracing::debug!(events = crowd.len(), "a crowding source's events are put aside, so that others are seen");
    for (delivery, verdict) in crowd.into_iter().zip(verdicts) {
        house.metrics.put_aside(&delivery.message.event.source);
        // Put aside or not: its row is open and its time will pass, so the sweeper has it either way. Without a row the
        // receipt is dropped undone, and the broker keeps it.
        if verdict == Published::Confirmed || delivery.message.unrecorded.is_none() {
            delivery.receipt.done();
        }
    }
}

/// Stopping: what has not begun goes back to the queue, and has cost no attempt.
async fn give_back(house: &House, waiting: Waiting) {
    let ids = waiting.give_up();
    if ids.is_empty() {
        return;
    }
    if let Queue::Store(_) = house.queue
        && let Err(error) = house.store.release(&ids, house.clock.now()).await
    {
        tracing::warn!(%error, "claimed events could not be given back; others take them when the lease ends");
    }
}
