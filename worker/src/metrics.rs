//! What the worker counts: one declared table, and the verbs that count into it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lychgate_common::{
    event::Event,
    live::Live,
    metrics::{MetricsError, Registry},
    queue::Published,
    store::Verdict,
};

lychgate_common::metrics! {
    /// The worker's table.
    pub struct WorkerMetrics {
        /// Attempts settled, by what became of the event: succeeded, ignored, retrying or dead. Types that no handler
        /// knows are `other`.
        pub settled: counter "lychgate_settled_total" [source, type, outcome];
        /// Time a handler ran.
        pub handling: histogram "lychgate_handler_seconds" [source, outcome] in lychgate_common::metrics::SECONDS;
        /// Time from an event's receipt to its end (succeeded, ignored or dead).
        pub finished: histogram "lychgate_receipt_to_finish_seconds" [source] in lychgate_common::metrics::SECONDS;
        /// Copies of messages whose attempt was settled already: harmless, and many of them are a sign.
        pub stale: counter "lychgate_stale_copies_total" [];
        /// Events given back because the fault was ours; costs no attempt.
        pub released: counter "lychgate_released_total" [source];
        /// Events of a crowded source put aside for a moment, so that others are seen.
        pub parked: counter "lychgate_parked_total" [source];
        /// Handlers that panicked.
        pub panicked: counter "lychgate_handler_panics_total" [source];
        /// Events that the sweeper published again, by what the broker said.
        pub swept: counter "lychgate_swept_total" [outcome];
        /// Messages that the broker gave up on or could not route.
        pub strays: counter "lychgate_stray_messages_total" [];
        /// Open events in the store, counted up to 100,000.
        pub backlog: gauge "lychgate_backlog_events" [];
        /// Age of the event that is due the longest, in seconds since its receipt.
        pub oldest: gauge "lychgate_backlog_oldest_seconds" [];
        /// Dead letters that wait for an operator.
        pub dead: gauge "lychgate_dead_letters" [];
        /// Messages ready in each of the broker's queues.
        pub ready: gauge "lychgate_queue_ready_messages" [queue];
        /// Refusals that looked like an attack, within `security.window`.
        pub security_events: gauge "lychgate_security_events" [];
        /// 1 while they are `security.threshold` or more, else 0.
        pub security_alert: gauge "lychgate_security_alert" [];
    }
}

/// The worker's metrics, with the closed sets of their labels.
#[derive(Clone, Debug)]
pub struct Metrics {
    table: WorkerMetrics,
    kinds: Arc<Live<BTreeSet<&'static str>>>,
}

const OUTCOMES: [&str; 4] = ["succeeded", "ignored", "retrying", "dead"];

impl Metrics {
    /// Registers the table. Event types outside `kinds` are counted as `other`, so that no sender makes labels.
    pub fn new(registry: &Registry, kinds: impl IntoIterator<Item = &'static str>) -> Result<Self, MetricsError> {
        let table = WorkerMetrics::new(registry)?;
        table.stale.zero([]);
        table.strays.zero([]);
        table.swept.zero([&["confirmed", "returned", "refused", "unknown"]]);
        let metrics = Self { table, kinds: Arc::default() };
        metrics.know(kinds);
        Ok(metrics)
    }

    /// These types get labels of their own from now on.
    pub(crate) fn know(&self, kinds: impl IntoIterator<Item = &'static str>) {
        self.kinds.swap(kinds.into_iter().collect());
    }

    pub(crate) fn settled(&self, event: &Event, verdict: &Verdict, took: Duration) {
        let outcome = verdict.status().name();
        debug_assert!(OUTCOMES.contains(&outcome), "a verdict leads to one of four");
        let kind = self.kinds.load().get(event.kind.as_ref()).copied().unwrap_or("other");
        self.table.settled.with([&event.source, kind, outcome]).inc();
        self.table.handling.with([&event.source, outcome]).observe(took.as_secs_f64());
    }

    pub(crate) fn finished(&self, source: &str, seconds: f64) {
        self.table.finished.with([source]).observe(seconds.max(0.0));
    }

    pub(crate) fn stale(&self) {
        self.table.stale.with([]).inc();
    }

    pub(crate) fn released(&self, source: &str) {
        self.table.released.with([source]).inc();
    }

    pub(crate) fn parked(&self, source: &str) {
        self.table.parked.with([source]).inc();
    }

    pub(crate) fn panicked(&self, source: &str) {
        self.table.panicked.with([source]).inc();
    }

    pub(crate) fn swept(&self, verdict: Published) {
        self.table.swept.with([verdict.name()]).inc();
    }

    pub(crate) fn stray(&self) {
        self.table.strays.with([]).inc();
    }

    pub(crate) fn backlog(&self, open: i64, oldest: f64) {
        self.table.backlog.with([]).set(open as f64);
        self.table.oldest.with([]).set(oldest);
    }

    pub(crate) fn dead_letters(&self, count: i64) {
        self.table.dead.with([]).set(count as f64);
    }

    pub(crate) fn security(&self, count: i64, raised: bool) {
        self.table.security_events.with([]).set(count as f64);
        self.table.security_alert.with([]).set(if raised { 1.0 } else { 0.0 });
    }

    pub(crate) fn depth(&self, queue: &str, ready: u32) {
        self.table.ready.with([queue]).set(f64::from(ready));
    }
}
