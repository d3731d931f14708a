//! What the worker counts: one declared table, and the verbs that count into it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lychgate_common::{
    event::Event,
    live::Live,
    metrics::{MetricsError, Registry},
    queue::Published,
    source::{MAIL, Source},
    store::Verdict,
    webhook::{self, Health},
};

use crate::{breaker::BreakerState, handlers::mail::Template};

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
        /// Events put off until it is their turn (deliveries over their webhook's limit); costs no attempt.
        pub deferred: counter "lychgate_deferred_total" [source];
        /// Events of a crowding source put into the side queue, so that others are seen.
        pub aside: counter "lychgate_aside_total" [source];
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
        /// Destinations by what their circuit breaker does: closed (calls pass), open (left alone), half_open (one probe
        /// passes). Classes: core_api, forward, mail, supabase, webhooks.
        pub breakers: gauge "lychgate_breakers" [class, state];
        /// Webhooks by how they are: active (told of events), failing (told, and nothing arrives), paused (by their
        /// owners), disabled (given up by us).
        pub webhooks: gauge "lychgate_webhooks" [status];
        /// Mails that are due and not taken up, counted up to 100,000. Without a way to send they all wait here.
        pub mails: gauge "lychgate_mails_pending" [];
        /// How long the one that has waited longest is due.
        pub mails_oldest: gauge "lychgate_mails_pending_oldest_seconds" [];
        /// 1 where this worker has a way to send mails (`mail.by`), else 0.
        pub mail_configured: gauge "lychgate_mail_configured" [];
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
    /// Registers the table. Event types that no source lists are counted as `other`, so that no sender makes labels.
    pub fn new(registry: &Registry, sources: &[Source]) -> Result<Self, MetricsError> {
        let table = WorkerMetrics::new(registry)?;
        table.stale.zero([]);
        table.strays.zero([]);
        table.deferred.zero([&[webhook::SOURCE]]);
        table.swept.zero([&["confirmed", "returned", "refused", "unknown"]]);
        let kinds = [Template::ALL.map(Template::name).as_slice(), &["other"]].concat();
        table.settled.zero([&[MAIL], &kinds, &OUTCOMES]);
        let metrics = Self { table, kinds: Arc::default() };
        metrics.know(sources);
        Ok(metrics)
    }

    /// Other sources are in force: their types get labels of their own, and every outcome stands at zero.
    pub(crate) fn know(&self, sources: &[Source]) {
        for source in sources {
            let kinds = [source.known_kinds(), &["other"]].concat();
            self.table.settled.zero([&[source.name().as_ref()], &kinds, &OUTCOMES]);
        }
        let kinds = sources.iter().flat_map(|source| source.known_kinds().iter().copied());
        self.kinds.swap(kinds.chain(Template::ALL.map(Template::name)).collect());
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

    pub(crate) fn deferred(&self, source: &str) {
        self.table.deferred.with([source]).inc();
    }

    /// How many webhooks are in each state; those that are not named are none.
    pub(crate) fn webhooks(&self, census: &[(Health, i64)]) {
        for health in Health::ALL {
            let count: i64 = census.iter().filter(|(of, _)| *of == health).map(|(_, count)| count).sum();
            self.table.webhooks.with([health.name()]).set(count as f64);
        }
    }

    pub(crate) fn put_aside(&self, source: &str) {
        self.table.aside.with([source]).inc();
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

    pub(crate) fn mails(&self, configured: bool, pending: i64, oldest: f64) {
        self.table.mail_configured.with([]).set(f64::from(u8::from(configured)));
        self.table.mails.with([]).set(pending as f64);
        self.table.mails_oldest.with([]).set(oldest.max(0.0));
    }

    pub(crate) fn security(&self, count: i64, raised: bool) {
        self.table.security_events.with([]).set(count as f64);
        self.table.security_alert.with([]).set(if raised { 1.0 } else { 0.0 });
    }

    /// How many destinations of a class are in each state, of these that have been called.
    pub(crate) fn breakers(&self, class: &str, states: &[BreakerState]) {
        for state in BreakerState::ALL {
            let count = states.iter().filter(|one| **one == state).count();
            self.table.breakers.with([class, state.name()]).set(count as f64);
        }
    }

    pub(crate) fn depth(&self, queue: &str, ready: u32) {
        self.table.ready.with([queue]).set(f64::from(ready));
    }
}

#[cfg(test)]
mod tests {
    use lychgate_common::source::preset;

    use super::*;

    #[test]
    fn every_outcome_of_every_source_is_there_at_zero_before_the_first_event() {
        let source = |name: &str| {
            Source::new(name, (preset::named("platform").unwrap().profile)(), &["secret-0123456789".into()]).unwrap()
        };
        let registry = Registry::new();
        let metrics = Metrics::new(&registry, &[source("one")]).unwrap();
        metrics.know(&[source("two")]);
        let text = registry.text().unwrap();
        for name in ["one", "two"] {
            for outcome in OUTCOMES {
                for kind in ["user.created", "other"] {
                    let line =
                        format!("lychgate_settled_total{{outcome=\"{outcome}\",source=\"{name}\",type=\"{kind}\"}} 0");
                    assert!(text.contains(&line), "{line}\n{text}");
                }
            }
        }
    }

    #[test]
    fn breakers_are_counted_by_state_and_a_state_without_any_is_zero() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry, &[]).unwrap();
        metrics.breakers("forward", &[BreakerState::Open, BreakerState::Closed, BreakerState::Open]);
        let text = registry.text().unwrap();
        for (state, count) in [("closed", 1), ("open", 2), ("half_open", 0)] {
            let line = format!("lychgate_breakers{{class=\"forward\",state=\"{state}\"}} {count}");
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }
}
