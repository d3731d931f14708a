//! What gateway and worker stand on, made once a process: store, queue, campuses, metrics, outcomes.
//!
//! Opening connects to nothing that must be there: a database that is away at the start is waited for, and a broker
//! that is away is a delay.

use std::{net::TcpListener, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::{
    backoff::Backoff,
    campus::{Directory, DirectorySettings},
    clock::Clock,
    metrics::Registry,
    ops::{Health, Ops, State},
    outcome::Outcomes,
    queue::{Queue, QueueState, broker::Broker, in_store::StoreQueue},
    rehearse::Rehearse,
    settings::Settings,
    source::Source,
    stop::Stop,
    store::{Store, StoreError, StoreSettings},
    vault::Vault,
};

/// How long the database may take to answer for a process's health: within a check's own deadline, so that silence is
/// judged as absence is.
const STORE_PATIENCE: Duration = Duration::from_millis(1500);

/// What a process is there for, and so what it can do while the database is away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// It accepts events: without the database it entrusts them to RabbitMQ, where that is there.
    Accept,
    /// It processes events, and does nothing without the database.
    Work,
}

/// The common ground. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ground {
    /// All settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// The store.
    pub store: Store,
    /// RabbitMQ, or the store itself.
    pub queue: Queue,
    /// Who waits for which event in this process.
    pub outcomes: Outcomes,
    /// What credentials at rest are sealed with, where a key is set.
    pub vault: Option<Arc<Vault>>,
    /// The campuses, where there is a vault to open their secrets with.
    pub campuses: Option<Arc<Directory>>,
    /// The process's metrics.
    pub registry: Registry,
    /// What asks the handlers, in a process that has some; the worker's half puts it in.
    pub rehearse: Option<Arc<dyn Rehearse>>,
    /// When to end.
    pub stop: Stop,
    connections: CancellationToken,
    /// The sources of the last reload; empty until there was one.
    pub(super) reloads: watch::Sender<Arc<[Source]>>,
}

impl Ground {
    /// Opens everything. Must be called inside a tokio runtime.
    pub fn open(settings: Arc<Settings>, store: &StoreSettings, stop: Stop) -> Result<Self, StartError> {
        let clock = Clock::system();
        let store = Store::open(store, clock.clone())?;
        let connections = CancellationToken::new();
        let queue = match settings.broker.broker(&settings.retry.schedule, settings.stop.deadline) {
            Some(broker) => Queue::Broker(Broker::open(broker, &clock, connections.clone())?),
            None => Queue::Store(StoreQueue::open(store.clone(), Arc::default())),
        };
        let vault = settings.secrets.vault()?.map(Arc::new);
        let directory = |vault: &Arc<Vault>| {
            Arc::new(Directory::new(store.clone(), Arc::clone(vault), DirectorySettings::default()))
        };
        let campuses = vault.as_ref().map(directory);
        let (outcomes, registry) = (Outcomes::default(), Registry::new());
        let reloads = watch::Sender::new([].into());
        Ok(Self {
            settings,
            clock,
            store,
            queue,
            outcomes,
            vault,
            campuses,
            registry,
            rehearse: None,
            stop,
            connections,
            reloads,
        })
    }

    /// Waits until the database is there and has the schema of this build. A schema of another version is an error at
    /// once; being told to stop meanwhile is `Ok(false)`.
    pub async fn wait_for_store(&self) -> Result<bool, StartError> {
        let mut backoff = Backoff::default();
        loop {
            match self.store.check_schema().await {
                Ok(()) => return Ok(true),
                Err(error @ (StoreError::Away(_) | StoreError::Server(_) | StoreError::Overloaded)) => {
                    tracing::warn!(error = error.detail(), "waiting for the database");
                }
                Err(
                    error @ (StoreError::Schema(_)
                    | StoreError::NewerSchema(_)
                    | StoreError::Data(_)
                    | StoreError::Row(_)),
                ) => {
                    return Err(error.into());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.stop.stopping() => return Ok(false),
            }
        }
    }

    /// Serves `/livez`, `/readyz` and `/metrics` until the process ends; `more` is what this process's health knows
    /// beside store and queue.
    pub fn serve_ops(&self, listener: TcpListener, duty: Duty, more: Health) -> Result<(), StartError> {
        let (ground, queue) = (self.clone(), self.queue.clone());
        let health = more
            .check("store", move || {
                let ground = ground.clone();
                async move { ground.store_state(duty).await }
            })
            .check("queue", move || {
                let state = match queue.state() {
                    QueueState::Up => State::Up,
                    QueueState::Degraded(why) => State::Degraded(why.to_string()),
                };
                async move { state }
            });
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
        let ops = Ops::new(health, &self.registry, &self.clock, &self.stop)?;
        tokio::spawn(ops.serve(listener));
        Ok(())
    }

    /// How the database is for a process with this duty. A process at work on a newer schema goes on: the release before
    /// runs beside the next one.
    async fn store_state(&self, duty: Duty) -> State {
        let checked = tokio::time::timeout(STORE_PATIENCE, self.store.check_schema()).await;
        let entrusts = duty == Duty::Accept && self.queue.takes_whole_events();
        match checked.unwrap_or_else(|_| Err(StoreError::silent(STORE_PATIENCE))) {
            Ok(()) => State::Up,
            Err(error @ StoreError::NewerSchema(_)) => State::Degraded(error.to_string()),
            Err(error) if entrusts && error.is_away() => {
                State::Degraded(format!("{error}; events are entrusted to RabbitMQ meanwhile"))
            }
            Err(error) => State::Down(error.to_string()),
        }
    }

    /// Closes what the corridors have left open: called when they have ended.
    pub async fn close(&self) {
        self.connections.cancel();
        if let Queue::Broker(broker) = &self.queue {
            // Acknowledgements that do not get out in time are messages that come again, and are dropped then.
            drop(tokio::time::timeout(Duration::from_secs(2), broker.closed()).await);
        }
        self.store.close();
    }
}
