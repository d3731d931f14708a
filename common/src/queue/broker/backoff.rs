//! The pause before a connection is built anew: 0.2 s doubling to 15 s, each between half and the whole of it.
//!
//! The jitter keeps a fleet of processes from knocking at a restarted broker in step.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST);
        // Each `RandomState` is keyed anew; 1024ths are fine enough.
        let share = u32::try_from(RandomState::new().hash_one(0u8) % 513).unwrap_or(0);
        whole / 2 + whole / 1024 * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_never_past_it() {
        let mut backoff = Backoff::new();
        assert!(backoff.pause() <= FIRST);
        let pauses: Vec<_> = (0..20).map(|_| backoff.pause()).collect();
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses.last().unwrap() >= &(LONGEST / 2));
    }
}
