//! The only room that asks for the time. Everything else is handed a [`Clock`].
//!
//! A test holds the same clock and moves it. Elapsed time (durations for metrics) is not wall-clock time and stays with
//! `std::time::Instant`.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// A source of wall-clock time, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Hands);

#[derive(Clone, Debug, Default)]
enum Hands {
    #[default]
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self(Hands::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn standing_at(at: Timestamp) -> Self {
        Self(Hands::Set(Arc::new(AtomicI64::new(at.as_microsecond()))))
    }

    /// The present moment, to the microsecond: what PostgreSQL stores, so that a value survives the round trip.
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Hands::System => Timestamp::now().as_microsecond(),
            Hands::Set(micros) => micros.load(Ordering::Relaxed),
        };
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }

    /// Moves a standing clock by `by`; the system's clock is left alone.
    pub fn advance(&self, by: SignedDuration) {
        if let Hands::Set(micros) = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_moves_only_when_told() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.clone().advance(SignedDuration::from_secs(90));
        assert_eq!(clock.now().as_second(), 90);
    }
}
