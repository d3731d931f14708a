//! RabbitMQ as the queue: the handle that the gateway and the worker hold.
//!
//! Everything behind it keeps itself alive: one supervisor for each connection, publishing and consuming apart. The
//! handle never waits for a broker that is away; it says so, and the store catches up.

mod acker;
mod codec;
mod connection;
mod consumer;
mod declare;
mod delivering;
mod depth;
mod door;
mod error;
mod liveness;
mod publisher;
mod publishing;
mod replies;
mod settings;
mod stray;
pub mod topology;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    acker::Receipt,
    codec::Poison,
    declare::{Finding, Outcome},
    depth::Depth,
    error::BrokerError,
    settings::{BrokerSettings, UNREADABLE_BROKER_URL, is_broker_url},
    stray::{Stray, StrayQueue},
};
use self::{
    connection::{Session, State, Target, supervise},
    consumer::{Consuming, Sink, Tap},
    delivering::{Delivering, Lane, Progress},
    door::{Door, Reply},
    publishing::Publishing,
    replies::Listening,
    stray::Straying,
    topology::Topology,
};
use super::{Deliveries, Intake, Published, QueueState, Route, Shard};
use crate::{clock::Clock, event::EventId, message::Message};

/// How long an answer to "is this shard's queue empty?" is good enough: the sweeper asks for many events in a row.
const FRESH: Duration = Duration::from_secs(1);

/// Strays in a drainer's hands at once: they are few, and each costs a row.
const STRAYS: u16 = 50;

/// Outcomes that a gateway may be behind with.
const OUTCOMES: usize = 1024;

/// The client logs every message that comes back unroutable, its body included, and a channel that is closed in good
/// order as an error; these directives hush it. Ours are the lines that say so.
pub const HUSHED_LOG: [&str; 2] = ["lapin::returned_messages=off", "lapin::channels=off"];

/// Connections to RabbitMQ that keep themselves alive. Cheap to clone.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    settings: BrokerSettings,
    target: Target,
    topology: Arc<Topology>,
    door: Arc<Door>,
    publishing: State,
    consuming: Mutex<Vec<State>>,
    progress: Arc<Progress>,
    progress_aside: Arc<Progress>,
    emptiness: Mutex<HashMap<String, (Instant, bool)>>,
    reply_queue: Arc<str>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Broker {
    /// Returns at once; connecting happens behind. `stop` ends everything: cancel it after the consumers' own.
    ///
    /// # Errors
    /// [`BrokerError::Settings`] where no broker could ever be reached with these.
    pub fn open(settings: BrokerSettings, clock: &Clock, stop: CancellationToken) -> Result<Self, BrokerError> {
        let target = Target { uri: settings.uri()?, deadline: settings.connect_deadline };
        let topology = Arc::new(Topology::new(&settings.prefix, settings.shards, &settings.schedule));
        let broker = Self(Arc::new(Inner {
            target,
            topology: Arc::clone(&topology),
            door: Arc::new(Door::default()),
            publishing: State::connecting(),
            consuming: Mutex::default(),
            progress: Arc::new(Progress::new(settings.shards)),
            progress_aside: Arc::new(Progress::new(settings.shards)),
            emptiness: Mutex::default(),
            reply_queue: format!("{}.reply.{}", settings.prefix, EventId::new(clock.now())).into(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            settings: settings.clone(),
        }));
        let inner = &broker.0;
        let session = Publishing { settings, topology, door: Arc::clone(&inner.door), stop: stop.clone() };
        inner.tasks.spawn(supervise(inner.target.clone(), session, inner.publishing.clone(), stop));
        Ok(broker)
    }

    /// Declares the topology over a connection of its own, for `lychgate topology apply`.
    pub async fn apply(settings: &BrokerSettings) -> Result<Vec<Finding>, BrokerError> {
        let (connection, topology) = Self::ask(settings).await?;
        let findings = declare::apply(&connection, &topology, settings.connect_deadline).await;
        connection::close(&connection).await;
        findings
    }

    /// Looks whether the topology is as it should be, for `lychgate topology verify`. Creates nothing.
    pub async fn verify(settings: &BrokerSettings) -> Result<Vec<Finding>, BrokerError> {
        let (connection, topology) = Self::ask(settings).await?;
        let findings = declare::verify(&connection, &topology, settings.connect_deadline).await;
        connection::close(&connection).await;
        findings
    }

    async fn ask(settings: &BrokerSettings) -> Result<(lapin::Connection, Topology), BrokerError> {
        let target = Target { uri: settings.uri()?, deadline: settings.connect_deadline };
        let topology = Topology::new(&settings.prefix, settings.shards, &settings.schedule);
        Ok((target.connect("topology").await?, topology))
    }

    pub(super) async fn publish(&self, batch: Vec<(Message, Route)>) -> Vec<Published> {
        self.0.door.publish(batch, self.0.settings.publish_deadline).await
    }

    pub(super) fn consume(&self, intake: Intake, stop: CancellationToken) -> Deliveries {
        let inner = &self.0;
        let shards: Vec<Shard> = inner.settings.shards.all().collect();
        // A source uses two shards: half for each lets a single busy source have all of a worker.
        let prefetch = if shards.len() == 1 { intake.prefetch } else { intake.prefetch.div_ceil(2) };
        let main = |shard| Tap { name: inner.topology.main(shard), queue: Lane::Main, prefetch };
        let aside =
            |shard| Tap { name: inner.topology.aside(shard), queue: Lane::Aside, prefetch: prefetch.div_ceil(2) };
        let taps = shards.iter().flat_map(|shard| [main(*shard), aside(*shard)]).collect();
        let (deliveries, receiver) = mpsc::channel(1);
        let sink =
            Delivering { deliveries, main: Arc::clone(&inner.progress), aside: Arc::clone(&inner.progress_aside) };
        self.drain(taps, sink, stop);
        Deliveries(receiver)
    }

    /// Starts to drain the dead and the orphan queue; ends when `stop` is cancelled.
    pub fn drain_dead(&self, stop: CancellationToken) -> mpsc::Receiver<Stray> {
        let topology = &self.0.topology;
        let taps = vec![
            Tap { name: topology.dead(), queue: StrayQueue::Dead, prefetch: STRAYS },
            Tap { name: topology.orphan(), queue: StrayQueue::Orphan, prefetch: STRAYS },
        ];
        let (strays, receiver) = mpsc::channel(1);
        self.drain(taps, Straying(strays), stop);
        receiver
    }

    fn drain<S: Sink>(&self, taps: Vec<Tap<S::Queue>>, sink: S, stop: CancellationToken) {
        let (settings, topology) = (self.0.settings.clone(), Arc::clone(&self.0.topology));
        self.supervise(Consuming { settings, topology, taps, sink: Some(sink), stop: stop.clone() }, stop);
    }

    fn supervise<S: Session>(&self, session: S, stop: CancellationToken) {
        let state = State::connecting();
        self.consuming().push(state.clone());
        let inner = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            supervise(inner.target.clone(), session, state.clone(), stop).await;
            // A consumer that was stopped is no complaint.
            state.up();
        });
    }

    /// The outcomes sent to [`Broker::reply_queue`], until the broker is stopped.
    pub fn replies(&self) -> mpsc::Receiver<(EventId, Bytes)> {
        let (outcomes, receiver) = mpsc::channel(OUTCOMES);
        let (deadline, stop) = (self.0.settings.connect_deadline, self.0.stop.clone());
        let queue = Arc::clone(&self.0.reply_queue);
        self.supervise(Listening { queue, outcomes, deadline, stop: stop.clone() }, stop);
        receiver
    }

    /// This process's reply queue, for [`Message::reply_to`]. It exists while [`Broker::replies`] is listened to.
    pub fn reply_queue(&self) -> Arc<str> {
        Arc::clone(&self.0.reply_queue)
    }

    /// Tells a waiting gateway an outcome; forgets it where that is not possible at once.
    pub fn reply(&self, to: &Arc<str>, id: EventId, json: Bytes) {
        self.0.door.reply(Reply { to: Arc::clone(to), id, json });
    }

    /// How publishing feels, and then consuming, where this process consumes.
    pub fn state(&self) -> QueueState {
        let publishing = self.0.publishing.now();
        if !publishing.is_up() {
            return publishing;
        }
        let consuming = self.consuming().iter().map(State::now).find(|state| !state.is_up());
        consuming.unwrap_or(QueueState::Up)
    }

    /// Waits until the publishing connection is up, or the first attempt at it has failed.
    pub async fn tried(&self) {
        self.0.publishing.tried().await;
    }

    /// Follows the publishing connection: a backlog can be published once it is up again.
    pub fn watch(&self) -> watch::Receiver<QueueState> {
        self.0.publishing.watch()
    }

    fn consuming(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.0.consuming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time up to which this shard's queues have drained: an event that entered them before cannot be waiting in
    /// one any more. `now` where they are empty; how far they have been consumed where not, if anybody knows. What is
    /// put aside keeps the order in which it came.
    pub async fn drained_until(&self, shard: Shard, now: Timestamp) -> Option<Timestamp> {
        let topology = &self.0.topology;
        let lanes = [(topology.main(shard), &self.0.progress), (topology.aside(shard), &self.0.progress_aside)];
        let mut drained = now;
        for (queue, progress) in lanes {
            if !self.is_empty(queue).await {
                drained = drained.min(progress.through(shard)?);
            }
        }
        Some(drained)
    }

    async fn is_empty(&self, queue: String) -> bool {
        let remembered = |(at, empty): &(Instant, bool)| (at.elapsed() < FRESH).then_some(*empty);
        let known = self.0.emptiness.lock().unwrap_or_else(PoisonError::into_inner).get(&queue).and_then(remembered);
        if let Some(empty) = known {
            return empty;
        }
        // A queue that is missing holds nothing; one that cannot be asked may hold everything.
        let empty = match self.count(std::iter::once(queue.clone())).await {
            Ok(depths) => depths.iter().all(|depth| depth.ready == 0),
            Err(_) => false,
        };
        self.0.emptiness.lock().unwrap_or_else(PoisonError::into_inner).insert(queue, (Instant::now(), empty));
        empty
    }

    /// How far this process has consumed each shard, by first attempts' time of receipt; for the store.
    pub fn progress(&self) -> Vec<(Shard, Timestamp)> {
        self.0.progress.all()
    }

    /// Takes over how far others have consumed a shard, as the store remembers it.
    pub fn learn_progress(&self, shard: Shard, through: Timestamp) {
        self.0.progress.note(shard, through);
    }

    /// How full every queue is.
    ///
    /// # Errors
    /// Where RabbitMQ is away or does not answer in time.
    pub async fn depths(&self) -> Result<Vec<Depth>, BrokerError> {
        self.count(self.0.topology.queues.iter().map(|queue| queue.name.clone())).await
    }

    async fn count(&self, queues: impl Iterator<Item = String>) -> Result<Vec<Depth>, BrokerError> {
        let connection = self.0.door.connection().ok_or(BrokerError::Lost)?;
        depth::depths(&connection, queues, self.0.settings.publish_deadline).await
    }

    /// Waits until every connection is closed, after `stop` was cancelled.
    pub async fn closed(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("target", &self.0.target).field("state", &self.state()).finish_non_exhaustive()
    }
}
