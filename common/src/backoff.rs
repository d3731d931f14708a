//! Growing, jittered delays between attempts to reach something that is away.
//!
//! The only room that uses the `backoff` crate, for its arithmetic alone. That crate is no longer maintained
//! (RUSTSEC-2025-0012) and draws in another that is not (`instant`, RUSTSEC-2024-0384); behind this one type either can
//! be replaced in an afternoon. Its retry loops are not used: what is tried again, and for how long, is the caller's
//! knowledge. The schedule of failed events is no back-off and stands in [`crate::queue::RetrySchedule`].

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// The first delay: short enough that a broker's restart is hardly noticed.
pub const MIN: Duration = Duration::from_millis(200);

/// The longest delay: long enough to leave a struggling server alone, short enough that nobody waits for us afterwards.
pub const MAX: Duration = Duration::from_secs(15);

/// Delays that double from a least to a most, each up to half longer or shorter, for ever.
#[derive(Debug)]
pub struct Backoff {
    inner: ExponentialBackoff,
    min: Duration,
    max: Duration,
}

impl Default for Backoff {
    /// From [`MIN`] to [`MAX`].
    fn default() -> Self {
        Self::new(MIN, MAX)
    }
}

impl Backoff {
    /// Delays from `min` to `max`; where `max` is the smaller one, every delay is `min`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        let inner = ExponentialBackoffBuilder::new()
            .with_initial_interval(min)
            .with_max_interval(max)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(None)
            .build();
        Self { inner, min, max }
    }

    /// The next delay, never outside the bounds.
    #[allow(clippy::should_implement_trait, reason = "it never ends, so it would make a poor iterator")]
    pub fn next(&mut self) -> Duration {
        let delay = self.inner.next_backoff().unwrap_or(self.max);
        delay.clamp(self.min, self.max)
    }

    /// Begins again at the least: call it after a success.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_delay_is_within_its_bounds_and_the_delays_grow(min in 1u64..10_000, times in 1u64..1000) {
            let (min, max) = (Duration::from_millis(min), Duration::from_millis(min * times));
            let mut backoff = Backoff::new(min, max);
            let delays: Vec<_> = (0..40).map(|_| backoff.next()).collect();
            prop_assert!(delays.iter().all(|delay| (min..=max).contains(delay)));
            prop_assert!(delays.iter().skip(20).all(|delay| *delay >= max / 2), "grown after twenty: {delays:?}");
            backoff.reset();
            prop_assert!(backoff.next() <= min * 3 / 2, "begins again");
        }
    }
}
