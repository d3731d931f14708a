//! A circuit breaker per destination: after failures in a row it stops asking for a while, then lets one probe through.
//!
//! Everything that the house calls goes through one, so that a dead destination costs an error at once instead of a
//! timeout each. Only the destination's own faults count (no answer, 5xx); an answer that we dislike is an answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lychgate_common::settings::FaithflowSettings;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open the first time; doubled at every probe that fails.
    pub pause: Duration,
    /// How long it stays open at most.
    pub longest_pause: Duration,
}

impl BreakerSettings {
    /// Doubling stops at ten times the first pause, so that a destination that is back is noticed.
    pub fn new(failures: u32, pause: Duration) -> Self {
        Self { failures, pause, longest_pause: pause.saturating_mul(10) }
    }
}

impl From<&FaithflowSettings> for BreakerSettings {
    fn from(settings: &FaithflowSettings) -> Self {
        Self::new(settings.breaker_failures.into(), settings.breaker_pause)
    }
}

/// A breaker's state, for metrics and the console.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// The pause is over: one probe passes, and decides.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The call may not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the circuit is open after repeated failures; the next call is allowed in {} s", retry_in.as_secs())]
pub struct Open {
    /// When it makes sense to try again.
    pub retry_in: Duration,
}

/// One destination's breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<Inner>,
}

#[derive(Clone, Copy, Debug)]
enum Inner {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Probing { since: Instant, pause: Duration },
}

/// Leave to make one call. Dropped without a word (a call that was given up), it counts for nothing, and a probe's
/// place is free again.
#[derive(Debug)]
#[must_use = "say how the call went"]
pub struct Permit {
    breaker: Arc<Breaker>,
    probe: bool,
    said: bool,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, inner: Mutex::new(Inner::Closed { failures: 0 }) }
    }

    /// Leave to make one call at `now`.
    ///
    /// # Errors
    /// [`Open`] while the destination is left in peace.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Permit, Open> {
        let mut inner = self.lock();
        let probe = match *inner {
            Inner::Closed { .. } => false,
            Inner::Open { until, pause } if until <= now => {
                *inner = Inner::Probing { since: now, pause };
                true
            }
            Inner::Open { until, .. } => return Err(Open { retry_in: until.duration_since(now) }),
            Inner::Probing { since, pause } => {
                return Err(Open {
                    retry_in: (since + pause).saturating_duration_since(now).max(Duration::from_secs(1)),
                });
            }
        };
        Ok(Permit { breaker: Arc::clone(self), probe, said: false })
    }

    /// Its state at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match *self.lock() {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { until, .. } if until > now => BreakerState::Open,
            Inner::Open { .. } | Inner::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    fn failed(&self, probe: bool, now: Instant) {
        let mut inner = self.lock();
        *inner = match *inner {
            Inner::Closed { failures } if failures + 1 < self.settings.failures => {
                Inner::Closed { failures: failures + 1 }
            }
            Inner::Closed { .. } => Inner::Open { until: now + self.settings.pause, pause: self.settings.pause },
            Inner::Probing { pause, .. } if probe => {
                let pause = pause.saturating_mul(2).min(self.settings.longest_pause);
                Inner::Open { until: now + pause, pause }
            }
            // A call that began before the breaker opened says nothing new.
            late @ (Inner::Open { .. } | Inner::Probing { .. }) => late,
        };
    }

    fn succeeded(&self, probe: bool) {
        let mut inner = self.lock();
        if probe || matches!(*inner, Inner::Closed { .. }) {
            *inner = Inner::Closed { failures: 0 };
        }
    }

    fn given_up(&self) {
        let mut inner = self.lock();
        if let Inner::Probing { since, pause } = *inner {
            *inner = Inner::Open { until: since, pause };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The state is whole even where a thread panicked with the lock: every change to it is one assignment.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The destination answered.
    pub fn succeeded(mut self) {
        self.said = true;
        self.breaker.succeeded(self.probe);
    }

    /// The destination did not answer, or said that it is broken.
    pub fn failed(mut self, now: Instant) {
        self.said = true;
        self.breaker.failed(self.probe, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe && !self.said {
            self.breaker.given_up();
        }
    }
}

/// The breakers of a process, by destination. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Breakers {
    settings: BreakerSettings,
    by_destination: Arc<Mutex<HashMap<Box<str>, Arc<Breaker>>>>,
}

impl Breakers {
    /// None yet.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, by_destination: Arc::default() }
    }

    /// The breaker of a destination (a host and port, or an endpoint's id), made at its first use.
    pub fn of(&self, destination: &str) -> Arc<Breaker> {
        let mut breakers = self.lock();
        if let Some(breaker) = breakers.get(destination) {
            return Arc::clone(breaker);
        }
        let breaker = Arc::new(Breaker::new(self.settings));
        breakers.insert(destination.into(), Arc::clone(&breaker));
        breaker
    }

    /// Every destination's state at `now`, by name.
    pub fn states(&self, now: Instant) -> Vec<(String, BreakerState)> {
        let mut states: Vec<_> =
            self.lock().iter().map(|(name, breaker)| (name.to_string(), breaker.state(now))).collect();
        states.sort_by(|(one, _), (other, _)| one.cmp(other));
        states
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Breaker>>> {
        // As above: an insert is done or not done.
        self.by_destination.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new(BreakerSettings { failures: 2, pause: 10 * SECOND, longest_pause: 30 * SECOND }))
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let (breaker, now) = (breaker(), Instant::now());
        breaker.admit(now).unwrap().failed(now);
        breaker.admit(now).unwrap().succeeded();
        breaker.admit(now).unwrap().failed(now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        breaker.admit(now).unwrap().failed(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.admit(now + SECOND).unwrap_err(), Open { retry_in: 9 * SECOND });
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..2 {
            breaker.admit(now).unwrap().failed(now);
        }
        let later = now + 10 * SECOND;
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        assert!(breaker.admit(later).is_err(), "only one probe");
        probe.failed(later);
        assert_eq!(breaker.admit(later).unwrap_err(), Open { retry_in: 20 * SECOND }, "the pause doubles");
        let much_later = later + 20 * SECOND;
        breaker.admit(much_later).unwrap().succeeded();
        assert_eq!(breaker.state(much_later), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..2 {
            breaker.admit(now).unwrap().failed(now);
        }
        let later = now + 10 * SECOND;
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_call_from_before_it_opened_neither_closes_nor_prolongs_it() {
        let (breaker, now) = (breaker(), Instant::now());
        let (early, other) = (breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
        for _ in 0..2 {
            breaker.admit(now).unwrap().failed(now);
        }
        early.succeeded();
        other.failed(now + 5 * SECOND);
        assert_eq!(breaker.admit(now + SECOND).unwrap_err(), Open { retry_in: 9 * SECOND });
    }
}
