//! Who goes next: deliveries in memory wait here, and no source is served before one that has less under way.
//!
//! Retries and replays give way to fresh events beyond their share. Pure bookkeeping: what runs, what is parked and what
//! is acknowledged is decided by who asks.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lychgate_common::{event::Attempt, queue::Delivery};

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
}

/// A delivery's place among those that run; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    source: Arc<str>,
    again: bool,
    running: Arc<Mutex<Running>>,
}

impl Waiting {
    pub(crate) fn new(retry_share: usize) -> Self {
        Self { held: VecDeque::new(), running: Arc::default(), retry_share: retry_share.max(1) }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.held.push_back((Instant::now(), delivery));
    }

    /// Takes the delivery whose source has the least under way, the oldest first among equals.
    pub(crate) fn pick(&mut self) -> Option<(Delivery, Place)> {
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
        drop(running);
        Some((delivery, Place { source, again, running: Arc::clone(&self.running) }))
    }

    /// How long the oldest has waited.
    pub(crate) fn oldest(&self) -> Duration {
        self.held.front().map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }

    /// Takes out all of the source that has the most waiting: to be parked out of the others' way.
    pub(crate) fn crowd(&mut self) -> Vec<Delivery> {
        let mut counts: HashMap<Arc<str>, usize> = HashMap::new();
        for (_, delivery) in &self.held {
            *counts.entry(Arc::clone(&delivery.message.event.source)).or_default() += 1;
        }
        let Some((noisiest, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return Vec::new() };
        let (crowd, others): (Vec<_>, Vec<_>) =
            self.held.drain(..).partition(|(_, delivery)| delivery.message.event.source == noisiest);
        self.held.extend(others);
        crowd.into_iter().map(|(_, delivery)| delivery).collect()
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
