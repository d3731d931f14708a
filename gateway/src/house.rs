//! Everything the gateway has while it lives, made once and handed to every request.
//!
//! Holds things together and does nothing itself. No statics: two houses in one process do not know each other.

use std::sync::Arc;

use jiff::SignedDuration;
use lychgate_common::{
    campus::Directory,
    clock::Clock,
    live::Live,
    outcome::Outcomes,
    queue::Queue,
    rehearse::Rehearse,
    settings::Settings,
    source::Source,
    store::{Bundle, Group, GroupLimits, NewEvent, Recorded, Recorder, Store},
    webhook::Desk,
};
use tokio::sync::Semaphore;

use crate::{
    delivery_log::DeliveryLog, health_monitor::Monitor, key_sets::KeySets, metrics::Metrics, publisher::Publisher,
    routes::Routes, throttle::Throttle,
};

/// What a house is built from.
#[derive(Debug)]
pub struct Parts {
    /// Limits and deadlines.
    pub settings: Arc<Settings>,
    /// Who may send.
    pub sources: Vec<Source>,
    /// Where events are made durable.
    pub store: Store,
    /// What wakes the workers.
    pub queue: Queue,
    /// Where outcomes are told: shared with a worker in the same process.
    pub outcomes: Outcomes,
    /// Campuses, for the sources whose secrets are kept with them.
    pub campuses: Option<Arc<Directory>>,
    /// Where the gateway counts.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// What asks the handlers, in a process that has some.
    pub rehearse: Option<Arc<dyn Rehearse>>,
    /// Where webhooks of our own are managed.
    pub desk: Desk,
}

/// The gateway, ready to serve.
#[derive(Debug)]
pub struct House {
    pub(crate) settings: Arc<Settings>,
    /// Swapped by a reload.
    pub(crate) routes: Live<Routes>,
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) outcomes: Outcomes,
    pub(crate) campuses: Option<Arc<Directory>>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) record: Group<NewEvent, Recorded>,
    /// Requests of several events; each is a batch already, so they do not wait among single events.
    pub(crate) bundles: Group<Bundle, Vec<Recorded>>,
    pub(crate) publisher: Publisher,
    pub(crate) throttle: Throttle,
    pub(crate) log: DeliveryLog,
    pub(crate) key_sets: KeySets,
    pub(crate) monitor: Monitor,
    pub(crate) rehearse: Option<Arc<dyn Rehearse>>,
    pub(crate) desk: Desk,
    pub(crate) in_flight: Arc<Semaphore>,
}

impl House {
    /// Builds the house and starts its writers. Must be called inside a tokio runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { settings, sources, store, queue, outcomes, campuses, metrics, clock, rehearse, desk } = parts;
        let limits = GroupLimits {
            writers: usize::from(settings.gateway.record_writers),
            items: usize::from(settings.gateway.record_batch),
            bytes: settings.gateway.record_batch_bytes.bytes(),
            waiting: count(settings.gateway.record_queue),
            patience: settings.database.patience(),
        };
        let window = SignedDuration::try_from(settings.retention.keys).unwrap_or(SignedDuration::MAX);
        let recorder = Recorder::new(store.clone(), window);
        Arc::new(Self {
            record: Group::start(limits, recorder.clone()),
            bundles: Group::start(limits, recorder),
            publisher: Publisher::start(queue.clone(), store.clone(), metrics.clone()),
            throttle: Throttle::new(&settings.gateway, &sources),
            log: DeliveryLog::start(store.clone(), metrics.clone(), settings.database.patience()),
            key_sets: KeySets::new(),
            monitor: Monitor::default(),
            rehearse,
            desk,
            in_flight: Arc::new(Semaphore::new(count(settings.gateway.in_flight))),
            routes: Live::new(Routes::new(sources)),
            settings,
            store,
            queue,
            outcomes,
            campuses,
            metrics,
            clock,
        })
    }

    /// Puts other sources, with their secrets and limits, in force. Requests under way end under the ones they began with.
    pub fn reload(&self, sources: Vec<Source>) {
        self.throttle.reload(&sources);
        self.metrics.know(&sources);
        self.routes.swap(Routes::new(sources));
    }

    /// The queue's state, for readiness.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// A setting's count, as a length.
pub(crate) fn count(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}
