//! Everything the worker has while it lives, made once and shared by every attempt.

use std::sync::Arc;

use jiff::Timestamp;
use lychgate_common::{
    clock::Clock,
    live::Live,
    message::Message,
    outcome::Outcomes,
    queue::Queue,
    settings::Settings,
    source::Source,
    store::{Emitter, Group, GroupLimits, Settled, Settlement, Settler, Store, WorkerName},
};
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};

use crate::{breaker::Breakers, handlers::Registry, metrics::Metrics};

/// Bytes of changes in one settling transaction at most: it stays short.
const SETTLE_BYTES: usize = 4 << 20;

/// What a house is built from.
#[derive(Debug)]
pub struct Parts {
    /// How much at once, how long, for whom.
    pub settings: Arc<Settings>,
    /// Where attempts are settled.
    pub store: Store,
    /// Where work comes from.
    pub queue: Queue,
    /// Where outcomes are told: shared with a gateway in the same process.
    pub outcomes: Outcomes,
    /// Who handles what.
    pub registry: Registry,
    /// Who is called, by class of destination: for the metrics.
    pub breakers: Vec<(&'static str, Breakers)>,
    /// Where the worker counts.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// Host, process and build, for every attempt's record.
    pub name: WorkerName,
}

/// The worker, ready to run.
#[derive(Debug)]
pub struct House {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) outcomes: Outcomes,
    /// Swapped by a reload.
    pub(crate) registry: Live<Registry>,
    pub(crate) breakers: Vec<(&'static str, Breakers)>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) name: WorkerName,
    pub(crate) started_at: Timestamp,
    pub(crate) settle: Group<Settlement, Settled>,
    /// Makes deliveries of what is settled; is told whether anybody wants any.
    pub(crate) emitter: Emitter,
    /// Deliveries that were made and wait to be published.
    pub(crate) emitted: Mutex<mpsc::Receiver<Message>>,
    /// Events that have been started before and did not come back run one at a time, so that only the one which kills
    /// its worker is found guilty.
    pub(crate) suspects: Semaphore,
    /// A mail waits to be taken up.
    pub(crate) mail_queued: Notify,
}

impl House {
    /// Builds the house and starts its settling writers. Must be called inside a tokio runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { settings, store, queue, outcomes, registry, breakers, metrics, clock, name } = parts;
        let limits = GroupLimits {
            writers: usize::from(settings.worker.settle_writers),
            items: usize::from(settings.worker.settle_batch),
            bytes: SETTLE_BYTES,
            waiting: usize::from(settings.worker.prefetch()).max(1),
            patience: settings.database.patience(),
        };
        let (emitter, emitted) = Emitter::new(&queue, settings.broker.shards, settings.sweep.grace);
        let settler = Settler::new(store.clone(), name.clone()).telling(emitter.clone());
        Arc::new(Self {
            settle: Group::start(limits, settler),
            emitter,
            emitted: Mutex::new(emitted),
            suspects: Semaphore::new(1),
            mail_queued: Notify::new(),
            started_at: clock.now(),
            settings,
            store,
            queue,
            outcomes,
            registry: Live::new(registry),
            breakers,
            metrics,
            clock,
            name,
        })
    }

    /// Puts other handlers in force. Attempts under way end with the ones they began with.
    pub fn reload(&self, registry: Registry, sources: &[Source]) {
        self.metrics.know(sources);
        self.registry.swap(registry);
    }
}
