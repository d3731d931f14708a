//! The door through which messages enter the publishing connection: open while it is up, shut otherwise.
//!
//! Shut means an answer at once: nobody waits here for a broker to come back. The row is already safe, and the
//! sweeper will try again.

use std::{
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use lapin::Connection;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    event::EventId,
    message::Message,
    queue::{Published, Route},
};

/// Messages published before their confirms are awaited. Up to here a larger window is faster; past it only latency
/// grew when measured.
pub(super) const BATCH: usize = 500;

/// Messages that share one fate and one deadline.
pub(super) struct Job {
    pub(super) batch: Vec<(Message, Route)>,
    pub(super) until: Instant,
    pub(super) answer: oneshot::Sender<Vec<Published>>,
}

/// A handler's outcome for a gateway that waits.
pub(super) struct Reply {
    pub(super) to: Arc<str>,
    pub(super) id: EventId,
    pub(super) json: Bytes,
}

#[derive(Debug, Default)]
pub(super) struct Door {
    open: RwLock<Option<Open>>,
    /// Something came back unroutable: the topology wants looking after.
    pub(super) repair: Notify,
}

#[derive(Debug)]
struct Open {
    jobs: mpsc::Sender<Job>,
    replies: mpsc::Sender<Reply>,
    connection: Weak<Connection>,
}

impl Door {
    pub(super) fn open(
        &self,
        jobs: mpsc::Sender<Job>,
        replies: mpsc::Sender<Reply>,
        connection: &Arc<Connection>,
    ) -> Opened<'_> {
        let open = Open { jobs, replies, connection: Arc::downgrade(connection) };
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
        Opened(self)
    }

    pub(super) fn shut(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with<T>(&self, what: impl FnOnce(&Open) -> T) -> Option<T> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(what)
    }

    /// The publishing connection, for a question on a channel of its own.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        self.with(|open| open.connection.upgrade()).flatten()
    }

    /// Publishes in closed batches; answers in the order given, within `patience`.
    pub(super) async fn publish(&self, batch: Vec<(Message, Route)>, patience: Duration) -> Vec<Published> {
        let until = Instant::now() + patience;
        if batch.len() <= BATCH {
            return self.submit(batch, until).await;
        }
        let mut rest = batch.into_iter().peekable();
        let mut parts = Vec::new();
        while rest.peek().is_some() {
            parts.push(self.submit(rest.by_ref().take(BATCH).collect(), until));
        }
        join_all(parts).await.into_iter().flatten().collect()
    }

    async fn submit(&self, batch: Vec<(Message, Route)>, until: Instant) -> Vec<Published> {
        let unknown = vec![Published::Unknown; batch.len()];
        let Some(jobs) = self.with(|open| open.jobs.clone()) else {
            return unknown;
        };
        let (answer, outcome) = oneshot::channel();
        match timeout_at(until, jobs.send(Job { batch, until, answer })).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return unknown,
        }
        // Else a job in the queue of a dead connection would keep that queue alive while it waits.
        drop(jobs);
        match timeout_at(until, outcome).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(_)) | Err(_) => unknown,
        }
    }

    /// Sends an outcome, or forgets it: the sender can ask for the event's status instead.
    pub(super) fn reply(&self, reply: Reply) {
        let sent = self.with(|open| open.replies.try_send(reply).is_ok());
        if sent != Some(true) {
            tracing::debug!("an outcome for a waiting gateway was dropped");
        }
    }
}

/// While this lives the door is open.
pub(super) struct Opened<'a>(&'a Door);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.shut();
    }
}
