//! What the gateway counts: one declared table, and the verbs that count into it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hyper::StatusCode;
use lychgate_common::{
    live::Live,
    metrics::{MetricsError, Registry},
    queue::Published,
    source::Source,
};

use crate::refusal::Refusal;

lychgate_common::metrics! {
    /// The gateway's table.
    pub struct GatewayMetrics {
        /// Events made durable. Types that the source does not list are `other`.
        pub accepted: counter "lychgate_accepted_total" [source, type];
        /// Repetitions that were answered as before.
        pub duplicates: counter "lychgate_duplicates_total" [source];
        /// Requests refused, by the reason's name; `source` is empty where none was found.
        pub refused: counter "lychgate_refused_total" [source, reason];
        /// Time from a request's head to its answer, by the status's class (2xx, 4xx, 5xx).
        pub answer: histogram "lychgate_answer_seconds" [source, class] in lychgate_common::metrics::SECONDS;
        /// Events accepted by a confirmed publish of the whole event, because the store was away.
        pub entrusted: counter "lychgate_entrusted_total" [];
        /// Messages published, by what the broker said: confirmed, returned, refused or unknown.
        pub published: counter "lychgate_published_total" [outcome];
        /// Lines of the log of deliveries, and uses of secrets, that could not be written.
        pub log_lost: counter "lychgate_delivery_log_lost_total" [];
    }
}

/// The gateway's metrics, with the closed sets of their labels.
#[derive(Clone, Debug)]
pub struct Metrics {
    table: GatewayMetrics,
    kinds: Arc<Live<BTreeSet<&'static str>>>,
}

impl Metrics {
    /// Registers the table. Event types that no source lists are counted as `other`, so that no sender makes labels.
    pub fn new(registry: &Registry, sources: &[Source]) -> Result<Self, MetricsError> {
        let table = GatewayMetrics::new(registry)?;
        table.published.zero([&["confirmed", "returned", "refused", "unknown"]]);
        table.log_lost.zero([]);
        table.entrusted.zero([]);
        let metrics = Self { table, kinds: Arc::default() };
        metrics.know(sources);
        Ok(metrics)
    }

    /// Other sources are in force.
    pub(crate) fn know(&self, sources: &[Source]) {
        for source in sources {
            self.table.duplicates.zero([&[source.name().as_ref()]]);
        }
        self.kinds.swap(sources.iter().flat_map(|source| source.known_kinds().iter().copied()).collect());
    }

    pub(crate) fn accepted(&self, source: &str, kind: &str) {
        let kind = self.kinds.load().get(kind).copied().unwrap_or("other");
        self.table.accepted.with([source, kind]).inc();
    }

    pub(crate) fn duplicate(&self, source: &str) {
        self.table.duplicates.with([source]).inc();
    }

    pub(crate) fn refused(&self, source: &str, refusal: &Refusal) {
        self.table.refused.with([source, refusal.name()]).inc();
    }

    pub(crate) fn answered(&self, source: &str, status: StatusCode, took: Duration) {
        let class = match status.as_u16() {
            500.. => "5xx",
            400.. => "4xx",
            _ => "2xx",
        };
        self.table.answer.with([source, class]).observe(took.as_secs_f64());
    }

    pub(crate) fn published(&self, verdict: Published) {
        self.table.published.with([verdict.name()]).inc();
    }

    pub(crate) fn entrusted(&self) {
        self.table.entrusted.with([]).inc();
    }

    pub(crate) fn log_lost(&self) {
        self.table.log_lost.with([]).inc();
    }
}
