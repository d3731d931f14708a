//! Who goes next: deliveries in memory wait here, and no source is served before one that has less under way.
//!
//! Retries and replays give way to fresh events beyond their share. Pure bookkeeping: what runs, what is parked and what
//! is acknowledged is decided by who asks.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lychgate_common::{
    event::{Attempt, EventId},
    queue::Delivery,
};
use tokio::sync::OwnedSemaphorePermit;

/// Deliveries that wait for a permit.
#[derive(Debug)]
pub(crate) struct Waiting {
    held: VecDeque<(Instant, Delivery)>,
    running: Arc<Mutex<Running>>,
    /// Retries and replays that may run while fresh events wait.
    retry_share: usize,
}

#[derive(Debug, Default)]
struct Running {
    sources: HashMap<Arc<str>, usize>,
    again: usize,
    /// From the main queue: what the broker counts against the worker's prefetch there.
    main: usize,
}

/// A delivery's place among those that run, and the permit for it; dropping it frees both.
#[derive(Debug)]
pub(crate) struct Place {
    source: Arc<str>,
    again: bool,
    aside: bool,
    running: Arc<Mutex<Running>>,
    _permit: OwnedSemaphorePermit,
}

impl Waiting {
    pub(crate) fn new(retry_share: usize) -> Self {
        Self { held: VecDeque::new(), running: Arc::default(), retry_share: retry_share.max(1) }
    }

    /// Deliveries of the main queue that wait or run.
    pub(crate) fn in_memory(&self) -> usize {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).main;
        running + self.held.iter().filter(|(_, delivery)| !delivery.aside).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.held.push_back((Instant::now(), delivery));
    }

    /// Takes the delivery whose source has the least under way, the oldest first among equals, to run under `permit`.
    pub(crate) fn pick(&mut self, permit: OwnedSemaphorePermit) -> Option<(Delivery, Place)> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let retries_full = running.again >= self.retry_share;
        let rank = |delivery: &Delivery| {
            let under_way = running.sources.get(&delivery.message.event.source).copied().unwrap_or(0);
            (is_again(delivery) && retries_full, under_way)
        };
        let (index, _) = self.held.iter().enumerate().min_by_key(|(_, (_, delivery))| rank(delivery))?;
        let (_, delivery) = self.held.remove(index)?;
        let source = Arc::clone(&delivery.message.event.source);
        let again = is_again(&delivery);
        *running.sources.entry(Arc::clone(&source)).or_default() += 1;
        running.again += usize::from(again);
        let aside = delivery.aside;
        running.main += usize::from(!aside);
        drop(running);
        Some((delivery, Place { source, again, aside, running: Arc::clone(&self.running), _permit: permit }))
    }

    /// Lets go of everything that has not begun, and says what it was. The receipts are dropped undone.
    pub(crate) fn give_up(self) -> Vec<EventId> {
        self.held.into_iter().map(|(_, delivery)| delivery.message.id()).collect()
    }

    /// The source that has the most waiting from the main queue, and how long its oldest has waited.
    pub(crate) fn noisiest(&self) -> Option<(Arc<str>, Duration)> {
        let mut sources: HashMap<&Arc<str>, (usize, Instant)> = HashMap::new();
        for (since, delivery) in self.held.iter().filter(|(_, delivery)| !delivery.aside) {
            // They stand in the order in which they came.
            sources.entry(&delivery.message.event.source).or_insert((0, *since)).0 += 1;
        }
        let (source, (_, since)) = sources.into_iter().max_by_key(|(_, (count, _))| *count)?;
        Some((Arc::clone(source), since.elapsed()))
    }

    /// Takes out all that waits of this source from the main queue: to be put out of the others' way.
    pub(crate) fn take(&mut self, source: &str) -> Vec<Delivery> {
        let (taken, others): (Vec<_>, Vec<_>) =
            self.held.drain(..).partition(|(_, held)| !held.aside && *held.message.event.source == *source);
        self.held.extend(others);
        taken.into_iter().map(|(_, delivery)| delivery).collect()
    }

    /// Sources that have at least `most` running or waiting.
    pub(crate) fn saturated(&self, most: usize) -> Vec<String> {
        let mut counts = self.running.lock().unwrap_or_else(PoisonError::into_inner).sources.clone();
        for (_, delivery) in &self.held {
            *counts.entry(Arc::clone(&delivery.message.event.source)).or_default() += 1;
        }
        let mut sources: Vec<String> =
            counts.into_iter().filter(|(_, count)| *count >= most).map(|(source, _)| source.to_string()).collect();
        sources.sort_unstable();
        sources
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.again -= usize::from(self.again);
        running.main -= usize::from(!self.aside);
        if let Some(count) = running.sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                running.sources.remove(&self.source);
            }
        }
    }
}

fn is_again(delivery: &Delivery) -> bool {
    delivery.message.attempt > Attempt::FIRST
}
