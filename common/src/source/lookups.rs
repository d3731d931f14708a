//! What is fetched one at a time under names that requests choose: certificates by their address, keys by their id.
//!
//! Fetches nothing itself: the gateway does, when [`Lookups::due`] allows it. Names come from requests that nobody has
//! vouched for yet, so their number is bounded, and with it how often strangers can make us ask.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

/// The least time between two requests for one name.
const COOL_DOWN: Duration = super::jwks::COOL_DOWN;

/// Most names that are remembered of a source: senders use one or two, and the next one while they change. So many
/// requests at most leave for a source within a cool-down, whatever strangers send.
pub const NAMES_LIMIT: usize = 16;

/// What is known under each name. Clones share it.
#[derive(Debug)]
pub struct Lookups<N, T>(Arc<Inner<N, T>>);

#[derive(Debug)]
struct Inner<N, T> {
    known: RwLock<HashMap<N, Known<T>>>,
    gate: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known<T> {
    asked: Instant,
    found: Found<T>,
    /// It has verified something: strangers' names do not push it out.
    proven: bool,
}

/// What is known under a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// What was wanted.
    Good(Arc<T>),
    /// It was answered with something else.
    Useless,
    /// It has not been answered.
    Unreachable,
}

impl<N: Clone + Eq + Hash, T> Lookups<N, T> {
    /// Held while asking, so that a crowd of requests asks once, and waits for the answer.
    pub fn gate(&self) -> &tokio::sync::Mutex<()> {
        &self.0.gate
    }

    /// What is known under a name.
    pub fn at(&self, name: &N) -> Found<T> {
        self.read().get(name).map_or(Found::Unreachable, |known| known.found.clone())
    }

    /// Whether the name, under which nothing is known that counts, may be asked for now.
    pub fn due(&self, name: &N, now: Instant) -> bool {
        let known = self.read();
        match known.get(name) {
            Some(known) => known.has_cooled(now),
            None => known.len() < NAMES_LIMIT || least(&known, now).is_some(),
        }
    }

    /// It is being asked for: the cool-down begins, however that ends. The least useful name makes room.
    pub fn asking(&self, name: &N, now: Instant) {
        let mut known = self.write();
        if let Some(known) = known.get_mut(name) {
            known.asked = now;
            return;
        }
        if known.len() >= NAMES_LIMIT {
            let Some(least) = least(&known, now) else { return };
            known.remove(&least);
        }
        known.insert(name.clone(), Known { asked: now, found: Found::Unreachable, proven: false });
    }

    /// This became of asking.
    pub fn learn(&self, name: &N, found: Found<T>) {
        if let Some(known) = self.write().get_mut(name) {
            known.found = found;
        }
    }

    /// What stands under this name has verified a request.
    pub(super) fn proven(&self, name: &N) {
        if self.read().get(name).is_some_and(|known| !known.proven)
            && let Some(known) = self.write().get_mut(name)
        {
            known.proven = true;
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<N, Known<T>>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<N, Known<T>>> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Known<T> {
    fn has_cooled(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked) >= COOL_DOWN
    }
}

/// The name that can make room: never one that has proven itself, unless all have.
fn least<N: Clone, T>(known: &HashMap<N, Known<T>>, now: Instant) -> Option<N> {
    let all_proven = known.values().all(|known| known.proven);
    let free = known.iter().filter(|(_, known)| known.has_cooled(now) && (all_proven || !known.proven));
    let worth = |known: &Known<T>| (matches!(known.found, Found::Good(_)), known.asked);
    free.min_by_key(|(_, known)| worth(known)).map(|(name, _)| name.clone())
}

impl<N, T> Default for Lookups<N, T> {
    fn default() -> Self {
        Self(Arc::new(Inner { known: RwLock::default(), gate: tokio::sync::Mutex::default() }))
    }
}

impl<N, T> Clone for Lookups<N, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Found<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Good(found) => Self::Good(Arc::clone(found)),
            Self::Useless => Self::Useless,
            Self::Unreachable => Self::Unreachable,
        }
    }
}

/// What is remembered is no part of how a source is set.
impl<N, T> PartialEq for Lookups<N, T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
