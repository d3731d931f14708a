//! The session of the publishing connection: topology, lanes, alarms, repairs.
//!
//! Consumes nothing: when an alarm blocks a connection lapin writes nothing on it, acknowledgements included.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use lapin::{Connection, Event, options::ConfirmSelectOptions};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    BrokerError,
    connection::{Session, State, close},
    declare,
    door::{Door, Job, Reply},
    publisher,
    settings::BrokerSettings,
    topology::Topology,
};

/// How often the connection's own flags are looked at, in case one of its events was lost.
const LOOK: Duration = Duration::from_secs(1);

/// How long an alarm may last before the connection is built anew, in case its end was not announced. Not shorter:
/// a blocked connection cannot even be closed, and each one costs a thread until the alarm ends.
const ALARM: Duration = Duration::from_secs(300);

/// Repairs of the topology at most this often: they cost some forty declarations.
const REPAIR: Duration = Duration::from_secs(5);

/// How long a queue stays deleted before it is declared again. RabbitMQ 3.10 forgets to cancel the consumers of one
/// that comes back within milliseconds.
const ABSENCE: Duration = Duration::from_millis(500);

/// Jobs and replies that may wait. More would only wait past their deadline.
const JOBS: usize = 64;
const REPLIES: usize = 1024;

pub(super) struct Publishing {
    pub(super) settings: BrokerSettings,
    pub(super) topology: Arc<Topology>,
    pub(super) door: Arc<Door>,
    pub(super) stop: CancellationToken,
}

impl Session for Publishing {
    const PURPOSE: &'static str = "publish";

    async fn run(&mut self, connection: Arc<Connection>, state: &State) -> Result<(), BrokerError> {
        let mut events = connection.events_listener();
        self.declare(&connection).await?;
        let (jobs, replies, mut lanes) = self.lanes(&connection).await?;
        let opened = self.door.open(jobs, replies, &connection);
        state.up();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut blocked: Option<Instant> = None;
        let mut repaired: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => {
                        self.door.shut();
                        lanes.abort_all();
                        blocked = Some(Instant::now());
                        state.degraded(&format!("RabbitMQ has raised an alarm ({why}); events wait in the store"));
                    }
                    Some(Event::ConnectionUnblocked) => return Err(BrokerError::Blocked),
                    // Channels' errors are announced here too; only the connection's own end the session.
                    Some(Event::Error(error)) if !connection.status().connected() => return Err(error.into()),
                    Some(_) => {}
                    None => return Err(BrokerError::Lost),
                },
                Some(lane) = lanes.join_next() => if blocked.is_none() {
                    match lane {
                        Ok(Err(error)) => return Err(error),
                        Ok(Ok(())) | Err(_) => return Err(BrokerError::Lost),
                    }
                },
                () = self.door.repair.notified(), if blocked.is_none() => {
                    if repaired.is_none_or(|at| at.elapsed() >= REPAIR) {
                        repaired = Some(Instant::now());
                        tracing::warn!("RabbitMQ returned a message as unroutable; declaring the topology again");
                        sleep(ABSENCE).await;
                        self.declare(&connection).await?;
                    }
                }
                _ = look.tick() => {
                    let status = connection.status();
                    if !status.connected() {
                        return Err(BrokerError::Lost);
                    }
                    if blocked.is_some_and(|since| !status.blocked() || since.elapsed() >= ALARM) {
                        return Err(BrokerError::Blocked);
                    }
                }
            }
        }
        drop(opened);
        let drained = async { while lanes.join_next().await.is_some() {} };
        // What does not get through in time is unknown to its caller, as it would be after a lost connection.
        let _ = timeout(self.settings.publish_deadline, drained).await;
        close(&connection).await;
        Ok(())
    }
}

type Lanes = (mpsc::Sender<Job>, mpsc::Sender<Reply>, JoinSet<Result<(), BrokerError>>);

impl Publishing {
    async fn declare(&self, connection: &Connection) -> Result<(), BrokerError> {
        declare::complaint(&declare::apply(connection, &self.topology, self.settings.connect_deadline).await?)
    }

    async fn lanes(&self, connection: &Connection) -> Result<Lanes, BrokerError> {
        let (jobs, waiting) = mpsc::channel(JOBS);
        let (replies, outcomes) = mpsc::channel(REPLIES);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut lanes = JoinSet::new();
        let patience = self.settings.connect_deadline;
        let opening = async {
            for _ in 0..self.settings.channels.max(1) {
                let channel = connection.create_channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                let (waiting, topology) = (Arc::clone(&waiting), Arc::clone(&self.topology));
                lanes.spawn(publisher::lane(channel, waiting, topology, Arc::clone(&self.door)));
            }
            lanes.spawn(publisher::answer(connection.create_channel().await?, outcomes));
            Ok::<_, lapin::Error>(())
        };
        timeout(patience, opening).await.map_err(|_| BrokerError::Deadline("opening channels", patience))??;
        Ok((jobs, replies, lanes))
    }
}
