//! How fast an endpoint may be called: so many in ten seconds, so many in a minute, whichever worker calls.
//!
//! Pure bookkeeping over a row that workers take turns at. What was sent is counted by the second, the second under way
//! and the one that is ending included, so that *no* ten seconds hold more than allowed. What is over gets a place in
//! the line of those that come back, one at a time at the rate that is allowed.

use jiff::{SignedDuration, Timestamp};

/// Document D: "Burst: up to 100 webhooks in 10 seconds".
const BURST_SECONDS: usize = 10;
/// Document D: "Maximum: 1000 webhooks per minute per endpoint".
const MINUTE_SECONDS: usize = 60;

/// What an endpoint bears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Deliveries in any ten seconds.
    pub burst: u32,
    /// Deliveries in any minute.
    pub per_minute: u32,
}

/// What an endpoint was sent lately.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The second, since 1970, that `sent` begins with.
    pub second: i64,
    /// Deliveries by the second, the latest first.
    pub sent: Vec<i32>,
    /// When the last one that waits is to come back.
    pub deferred_to: Timestamp,
}

/// What became of one that wants to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Send it now.
    Now,
    /// Come back then.
    At(Timestamp),
}

impl Pace {
    /// One more wants to be sent at `now`. A clock that is behind another worker's counts as that one's.
    pub fn take(&mut self, limits: Limits, now: Timestamp) -> Taken {
        self.advance(now);
        let waits = [(limits.burst, BURST_SECONDS), (limits.per_minute, MINUTE_SECONDS)]
            .map(|(most, seconds)| self.full(most, seconds));
        if let Some(free) = waits.into_iter().flatten().max() {
            return Taken::At(self.wait(limits, free.max(now)));
        }
        if let Some(latest) = self.sent.first_mut() {
            *latest = latest.saturating_add(1);
        }
        Taken::Now
    }

    /// A place in the line of those that come back: not before `earliest`, and not with the one before it.
    pub fn wait(&mut self, limits: Limits, earliest: Timestamp) -> Timestamp {
        let next = self.deferred_to.checked_add(each(limits)).unwrap_or(Timestamp::MAX);
        self.deferred_to = next.max(earliest);
        self.deferred_to
    }

    fn advance(&mut self, now: Timestamp) {
        let second = now.as_second().max(self.second);
        let passed = usize::try_from(second - self.second).unwrap_or(usize::MAX).min(MINUTE_SECONDS + 1);
        let before = std::mem::take(&mut self.sent);
        self.sent = std::iter::repeat_n(0, passed).chain(before).take(MINUTE_SECONDS + 1).collect();
        self.sent.resize(MINUTE_SECONDS + 1, 0);
        self.second = second;
    }

    /// When the first of a full window's seconds has passed out of it; `None` where the window has room.
    fn full(&self, most: u32, seconds: usize) -> Option<Timestamp> {
        let window = self.sent.iter().take(seconds + 1);
        let sum: i64 = window.clone().map(|count| i64::from(*count)).sum();
        if sum < i64::from(most) {
            return None;
        }
        let oldest = window.enumerate().filter(|(_, count)| **count > 0).map(|(age, _)| age).max().unwrap_or(0);
        let wait = i64::try_from(seconds + 1 - oldest).unwrap_or(1);
        Timestamp::from_second(self.second.saturating_add(wait)).ok()
    }
}

/// The time between two of those that come back, at the slower of the two rates.
fn each(limits: Limits) -> SignedDuration {
    let apart = |most: u32, seconds: usize| {
        let window = i64::try_from((seconds + 1) * 1000).unwrap_or(i64::MAX);
        SignedDuration::from_millis(window / i64::from(most.max(1)))
    };
    apart(limits.burst, BURST_SECONDS).max(apart(limits.per_minute, MINUTE_SECONDS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn fresh() -> Pace {
        Pace { second: 0, sent: Vec::new(), deferred_to: Timestamp::MIN }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    #[test]
    fn what_is_over_comes_back_one_at_a_time_when_there_is_room() {
        let (mut pace, limits) = (fresh(), Limits { burst: 2, per_minute: 1000 });
        assert_eq!([pace.take(limits, at(0)), pace.take(limits, at(900))], [Taken::Now; 2]);
        assert_eq!(pace.take(limits, at(950)), Taken::At(at(11_000)));
        assert_eq!(pace.take(limits, at(960)), Taken::At(at(16_500)));
        assert_eq!(pace.take(limits, at(11_000)), Taken::Now);
    }

    #[test]
    fn a_minute_has_its_own_limit() {
        let (mut pace, limits) = (fresh(), Limits { burst: 100, per_minute: 3 });
        for second in [0, 20, 40] {
            assert_eq!(pace.take(limits, at(second * 1000)), Taken::Now);
        }
        assert_eq!(pace.take(limits, at(41_000)), Taken::At(at(61_000)));
    }

    proptest! {
        #[test]
        fn no_ten_seconds_and_no_minute_hold_more_than_allowed(
            steps in proptest::collection::vec(0_i64..3_000, 1..400), burst in 1_u32..8, per_minute in 1_u32..30,
        ) {
            let (mut pace, mut now, mut sent) = (fresh(), 0, Vec::new());
            for step in steps {
                now += step;
                if pace.take(Limits { burst, per_minute }, at(now)) == Taken::Now {
                    sent.push(now);
                }
            }
            for (most, millis) in [(burst, 10_000), (per_minute, 60_000)] {
                for first in &sent {
                    let within = sent.iter().filter(|one| (*first..first + millis).contains(*one)).count();
                    prop_assert!(within <= usize::try_from(most).unwrap());
                }
            }
        }
    }
}
