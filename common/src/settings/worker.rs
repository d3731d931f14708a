//! `[worker]`, `[retry]`: how much a worker takes at once, and when it tries again.
//!
//! Only numbers; the worker obeys them.

use std::time::Duration;

use super::{
    Share,
    setting::section,
    tree::Node,
    value::{Context, Readable},
};
use crate::queue::RetrySchedule;

/// Measured with RabbitMQ: throughput peaks at 300 unsettled deliveries and falls beyond.
pub const MAX_PREFETCH: u16 = 300;

section! {
    /// How a worker works.
    pub struct WorkerSettings in "worker" {
        /// Handlers at once. Handlers mostly wait for others, so it is far more than the cores.
        concurrency: u16 = 64, in 1..=MAX_PREFETCH;
        /// Events taken from the queue and not settled. Unset: twice the concurrency, at most 300, so that a settled
        /// handler finds the next event in memory.
        prefetch: Option<u16> = None;
        /// How long a handler may take; then its attempt has failed for a passing reason.
        handler_deadline: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(300);
        /// How long a claim holds where the store is the queue; after it others may take the event.
        lease: Duration = Duration::from_secs(120), in Duration::from_millis(100)..=Duration::from_secs(3600);
        /// Times that an event may be started and end its process before it is put aside as a dead letter.
        starts: u8 = 3, in 1..=20;
        /// The most attempts settled in one transaction. Measured: 20 to 50 give 15 times the rate of one each.
        settle_batch: u16 = 50, in 1..=500;
        /// Settling transactions at once. Beside one that is under way another begins with half of `settle_batch`, or
        /// after 10 ms.
        settle_writers: u8 = 2, in 1..=16;
        /// The most of the concurrency that one source may hold while others wait, so that a noisy one starves nobody.
        source_share: Share = Share::HALF;
        /// The most of the concurrency that retries and replays may hold while fresh events wait.
        retry_share: Share = Share::QUARTER;
    }
}

section! {
    /// When a failed attempt is repeated.
    pub struct RetrySettings in "retry" {
        /// The delays before the second, third … attempt; after the last come the dead letters. 15 s outlives a restart,
        /// an hour an incident.
        schedule: RetrySchedule = RetrySchedule::default();
        /// The most that a destination's `Retry-After` is believed. A day is a bad incident; a mistyped header must not
        /// hide an event for years.
        retry_after_max: Duration = Duration::from_secs(24 * 3600),
            in Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
    }
}

impl WorkerSettings {
    /// Deliveries that may be unsettled: what is set, else twice the concurrency, at most [`MAX_PREFETCH`].
    pub fn prefetch(&self) -> u16 {
        self.prefetch.unwrap_or_else(|| self.concurrency.saturating_mul(2).min(MAX_PREFETCH))
    }
}

impl Readable for RetrySchedule {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match Self::new(Vec::<Duration>::read(node, cx)?) {
            Ok(schedule) => Some(schedule),
            Err(error) => cx.wrong(node, error.to_string()),
        }
    }

    fn show(&self) -> String {
        let levels: Vec<_> = self.levels().map(|(_, delay)| format!("\"{}\"", Self::name(delay))).collect();
        format!("[{}]", levels.join(", "))
    }
}
