//! Shards: which of the main queues an event travels through.
//!
//! Computed here, in the gateway's process, and stored in the row: a broker's consistent-hash exchange does not promise
//! the same queue after a restart.

use std::fmt;

use crate::event::EventId;

/// A main queue's number, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(i16);

impl Shard {
    /// From the stored number; negative ones do not exist.
    pub fn new(number: i16) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    /// The stored number.
    pub fn number(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Shard {
    /// `s00`, the routing key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
}

/// How many shards there are: 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shards(i16);

impl Shards {
    /// One shard: enough for one broker node and some 10,000 events a second.
    pub const ONE: Self = Self(1);

    /// A checked count.
    pub fn new(count: u16) -> Option<Self> {
        i16::try_from(count).ok().filter(|count| (1..=64).contains(count)).map(Self)
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Shard> {
        (0..self.0).map(Shard)
    }

    /// Where a source's event goes: each source uses two of the shards (shuffle sharding), so that a noisy one leaves
    /// the others' queues alone, and spreads over its two by the event's id.
    pub fn pick(self, source: &str, id: EventId) -> Shard {
        let home = fnv1a(source.as_bytes());
        let count = u64::from(self.0.unsigned_abs());
        let first = home % count;
        let second = (first + 1 + (home >> 32) % count.saturating_sub(1).max(1)) % count;
        let pick = if fnv1a(id.uuid().as_bytes()) & 1 == 0 { first } else { second };
        Shard(i16::try_from(pick).unwrap_or(0))
    }
}

/// FNV-1a, 64 bits: stable over versions and machines, which `std`'s hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_source_uses_two_shards_and_no_more() {
        let shards = Shards::new(8).unwrap();
        let used: BTreeSet<_> = (0..1000).map(|_| shards.pick("stripe", EventId::new(Timestamp::UNIX_EPOCH))).collect();
        assert_eq!(used.len(), 2);
        assert_eq!(Shards::ONE.pick("stripe", EventId::new(Timestamp::UNIX_EPOCH)), Shard(0));
    }
}
