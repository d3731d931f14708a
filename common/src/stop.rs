//! How a process is told to end: the first signal asks it to finish its work, a second one to leave at once.
//!
//! A value, handed to whoever must obey; there is no static. SIGTERM and SIGINT count alike. Whoever holds a [`Stop`]
//! decides what finishing means; this room only says when.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// The news that the process shall end. Cheap to clone; all clones hear the same.
#[derive(Clone, Debug)]
pub struct Stop {
    stopping: CancellationToken,
    now: CancellationToken,
    deadline: Duration,
}

impl Stop {
    /// Nobody has asked yet. Once somebody does, work under way has `deadline` to finish.
    pub fn new(deadline: Duration) -> Self {
        Self { stopping: CancellationToken::new(), now: CancellationToken::new(), deadline }
    }

    /// Listens for SIGTERM and SIGINT from now on, and keeps the deadline. Needs a runtime; the task may be forgotten.
    pub fn on_signals(&self) -> io::Result<JoinHandle<()>> {
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = self.clone();
        Ok(tokio::spawn(async move {
            tokio::select! {
                () = either(&mut signals) => tracing::info!("stopping: finishing what is under way"),
                () = stop.stopping.cancelled() => {}
            }
            stop.stopping.cancel();
            tokio::select! {
                () = either(&mut signals) => tracing::warn!("second signal: stopping now"),
                () = tokio::time::sleep(stop.deadline) => {
                    tracing::warn!(deadline = ?stop.deadline, "the deadline of `stop.deadline` has passed: stopping now");
                }
                () = stop.now.cancelled() => {}
            }
            stop.now.cancel();
        }))
    }

    /// Asks for the end, as the first signal would.
    pub fn ask(&self) {
        self.stopping.cancel();
    }

    /// Asks for the end at once, as the second signal would.
    pub fn ask_now(&self) {
        self.stopping.cancel();
        self.now.cancel();
    }

    /// Waits until the end is asked for: take no new work, finish what is under way.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Waits until the end cannot wait: leave everything; what was under way costs no attempt.
    pub async fn now(&self) {
        self.now.cancelled().await;
    }

    /// Whether the end was asked for.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Whether it cannot wait.
    pub fn is_now(&self) -> bool {
        self.now.is_cancelled()
    }

    /// The first news as a token, for those who know only tokens.
    pub fn token(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// How long work under way has, from the first news on.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}

async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_the_deadline_ends_in_now() {
        let stop = Stop::new(Duration::from_secs(25));
        let task = stop.on_signals().unwrap();
        assert!(!stop.is_stopping());
        stop.clone().ask();
        stop.stopping().await;
        assert!(!stop.is_now());
        stop.now().await;
        task.await.unwrap();
    }

    #[tokio::test]
    async fn now_means_stopping_too() {
        let stop = Stop::new(Duration::from_secs(3600));
        stop.ask_now();
        stop.stopping().await;
        stop.now().await;
    }
}
