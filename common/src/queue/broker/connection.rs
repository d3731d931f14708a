//! One supervisor for each connection: connect, run, and on any error whatever drop everything and build it anew.
//!
//! lapin's own recovery stays off: it gives up after a number of tries, and what it restores has been wrong before.
//! What a session does with a connection is not this room's business.

use std::{sync::Arc, time::Duration};

use lapin::{Connection, ConnectionProperties, uri::AMQPUri};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use super::BrokerError;
use crate::backoff::Backoff;
use crate::queue::QueueState;

/// A session that lived this long was healthy: the next failure starts with the shortest pause again.
const HEALTHY: Duration = Duration::from_secs(30);

/// What runs on a connection.
pub(super) trait Session: Send + 'static {
    /// For the log and RabbitMQ's list of connections: `publish`, `consume`.
    const PURPOSE: &'static str;

    /// Runs until stopped (`Ok`) or until anything goes wrong. Says [`State::up`] once it works.
    fn run(
        &mut self,
        connection: Arc<Connection>,
        state: &State,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;
}

/// Where a supervisor says how its connection feels.
#[derive(Clone, Debug)]
pub(super) struct State(watch::Sender<QueueState>);

/// What is said until the first attempt has ended, one way or the other.
const CONNECTING: &str = "connecting to RabbitMQ";

impl State {
    pub(super) fn connecting() -> Self {
        Self(watch::Sender::new(QueueState::Degraded(Arc::from(CONNECTING))))
    }

    /// Waits until the first attempt to connect has ended.
    pub(super) async fn tried(&self) {
        let is_tried = |state: &QueueState| !matches!(state, QueueState::Degraded(why) if **why == *CONNECTING);
        // An error means that nobody tries any more.
        let _ = self.watch().wait_for(is_tried).await;
    }

    pub(super) fn up(&self) {
        self.set(QueueState::Up);
    }

    pub(super) fn degraded(&self, why: &str) {
        self.set(QueueState::Degraded(Arc::from(why)));
    }

    pub(super) fn now(&self) -> QueueState {
        self.0.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<QueueState> {
        self.0.subscribe()
    }

    fn set(&self, state: QueueState) {
        self.0.send_if_modified(|old| {
            let changed = *old != state;
            *old = state;
            changed
        });
    }
}

/// How often a failure that stays the same is told again.
const REMIND: Duration = Duration::from_secs(60);

/// How and whither to connect.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) uri: AMQPUri,
    pub(super) deadline: Duration,
}

impl Target {
    pub(super) async fn connect(&self, purpose: &str) -> Result<Connection, BrokerError> {
        let name = format!("lychgate {purpose}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        match timeout(self.deadline, Connection::connect_uri(self.uri.clone(), properties)).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(BrokerError::Deadline("connecting", self.deadline)),
        }
    }
}

/// The URL's password stays out of every log.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("host", &self.uri.authority.host).finish_non_exhaustive()
    }
}

/// Keeps `session` running until `stop`.
pub(super) async fn supervise<S: Session>(target: Target, mut session: S, state: State, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut told: Option<(String, tokio::time::Instant)> = None;
    loop {
        let connected = tokio::select! {
            connected = target.connect(S::PURPOSE) => connected,
            () = stop.cancelled() => break,
        };
        let (error, started) = match connected {
            Ok(connection) => {
                let started = tokio::time::Instant::now();
                match session.run(Arc::new(connection), &state).await {
                    Ok(()) => break,
                    Err(error) => (error, Some(started)),
                }
            }
            Err(error) => (error, None),
        };
        state.degraded(&error.to_string());
        if started.is_some_and(|started| started.elapsed() >= HEALTHY) {
            backoff.reset();
        }
        let pause = backoff.next();
        let words = if started.is_some() { "lost its connection to" } else { "cannot connect to" };
        let why = format!("{words} RabbitMQ ({error}); trying on");
        // The same once more is no news for a while: an absence of hours must not fill the log.
        if told.as_ref().is_none_or(|(last, at)| *last != why || at.elapsed() >= REMIND) {
            tracing::warn!(purpose = S::PURPOSE, ?pause, "{why}");
            told = Some((why, tokio::time::Instant::now()));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
    }
    state.degraded("stopped");
}

/// Says goodbye, without waiting for a broker that does not answer.
pub(super) async fn close(connection: &Connection) {
    let goodbye = connection.close(200, "OK".into());
    // The process is stopping or the connection is replaced: whether the broker heard it changes nothing.
    let _ = timeout(Duration::from_secs(1), goodbye).await;
}
