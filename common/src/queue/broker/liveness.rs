//! Notices a consumer that has gone deaf: messages are ready, it has room, and nothing comes.
//!
//! RabbitMQ 3.10 forgets to cancel the consumers of a quorum queue that is deleted and declared again within
//! milliseconds (seen here). Such a consumer would wait for ever, with every sign of health.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What a pump and its acker tell, shared with whoever looks after them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    taken: AtomicU64,
    settled: AtomicU64,
    listening: AtomicBool,
}

/// What was seen at the last look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    taken: u64,
    suspicious: bool,
}

impl Pulse {
    /// It waits for the broker, and not for the worker to take what it has.
    pub(super) fn listens(&self, listening: bool) {
        self.0.listening.store(listening, Ordering::Relaxed);
    }

    pub(super) fn took(&self) {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// So many deliveries are no longer out.
    pub(super) fn settled(&self, count: u64) {
        self.0.settled.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether nothing has come since the last look and there was room for it both times, though `ready` messages
    /// wait. Once may be a coincidence.
    pub(super) fn is_deaf(&self, ready: u32, prefetch: u16, last: &mut Look) -> bool {
        let taken = self.0.taken.load(Ordering::Relaxed);
        let out = taken.saturating_sub(self.0.settled.load(Ordering::Relaxed));
        let idle = self.0.listening.load(Ordering::Relaxed) && out < u64::from(prefetch) && ready > 0;
        let suspicious = idle && taken == last.taken;
        let deaf = suspicious && last.suspicious;
        *last = Look { taken, suspicious };
        deaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_consumer_with_room_that_gets_nothing_twice_is_deaf() {
        let (pulse, mut last) = (Pulse::default(), Look::default());
        pulse.listens(true);
        assert!(!pulse.is_deaf(5, 2, &mut last));
        pulse.took();
        assert!(!pulse.is_deaf(5, 2, &mut last), "something came");
        assert!(!pulse.is_deaf(5, 2, &mut last), "once");
        assert!(pulse.is_deaf(5, 2, &mut last));
        assert!(!pulse.is_deaf(0, 2, &mut last), "nothing waits");
        pulse.took();
        assert!(!(0..3).any(|_| pulse.is_deaf(5, 2, &mut last)), "it has no room");
        pulse.settled(2);
        pulse.listens(false);
        assert!(!(0..3).any(|_| pulse.is_deaf(5, 2, &mut last)), "the worker is busy");
    }
}
