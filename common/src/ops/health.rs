//! A process's health: a list of named checks, each with its own word.
//!
//! Checks are asked together and must answer within [`DEADLINE`]; one that does not is down.

use std::{fmt, future::Future, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, join_all};

/// How long one check may take. Probes usually give up after some seconds; we must answer before.
const DEADLINE: Duration = Duration::from_secs(2);

/// How something is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// Well.
    Up,
    /// Something does not work, and the process still does its duty; why.
    Degraded(String),
    /// The process cannot do its duty; why.
    Down(String),
}

impl State {
    /// As shown.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded(_) => "degraded",
            Self::Down(_) => "down",
        }
    }

    /// What is wrong, where something is.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Up => None,
            Self::Degraded(reason) | Self::Down(reason) => Some(reason),
        }
    }

    /// As a number: 1, 0.5 or 0.
    pub const fn level(&self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Degraded(_) => 0.5,
            Self::Down(_) => 0.0,
        }
    }
}

impl<E: fmt::Display> From<Result<(), E>> for State {
    /// An error is down.
    fn from(result: Result<(), E>) -> Self {
        result.map_or_else(|error| Self::Down(error.to_string()), |()| Self::Up)
    }
}

type Check = Box<dyn Fn() -> BoxFuture<'static, State> + Send + Sync>;

/// Named checks, in the order in which they are shown.
#[derive(Default)]
pub struct Health(Vec<(&'static str, Check)>);

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Health {
    /// No check: always ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check.
    #[must_use]
    pub fn check<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = State> + Send + 'static,
    {
        self.0.push((name, Box::new(move || check().boxed())));
        self
    }

    /// Asks every check.
    pub(super) async fn ask(&self) -> Vec<(&'static str, State)> {
        let asked = self.0.iter().map(|(name, check)| async move {
            let state = tokio::time::timeout(DEADLINE, check()).await;
            (*name, state.unwrap_or_else(|_| State::Down(format!("no answer in {DEADLINE:?}"))))
        });
        join_all(asked).await
    }
}
