//! A sender's key set at an address: what is known of it, and when it is to be asked again.
//!
//! Fetches nothing itself: the gateway does, when [`KeyServer::due`] says so. Old keys stay good while the server cannot
//! be reached. Tokens that name unknown keys, which anybody can send, make it ask at most once in [`COOL_DOWN`].

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use url::{Host, Url};

use super::jwk::{JwksFault, PublicKey};

/// The least time between two requests, whatever tokens say.
pub const COOL_DOWN: Duration = Duration::from_secs(30);

/// How long a set is taken as current. Senders publish the next key long before they use it.
pub const REFRESH: Duration = Duration::from_secs(3600);

/// Largest set that is read, in bytes: a hundred RSA keys fit.
pub const SET_LIMIT: usize = 128 * 1024;

/// A key server. Clones share what is known.
#[derive(Clone)]
pub struct KeyServer(Arc<Inner>);

struct Inner {
    url: Url,
    known: RwLock<Known>,
    gate: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Arc<[PublicKey]>,
    asked: Option<Instant>,
    learned: Option<Instant>,
    /// Whether an answer is being waited for.
    asking: bool,
    failed: bool,
}

/// Why a key server is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The token names a key that is not known, or none is: it cannot be judged before.
    Unknown,
    /// The same, and it is being asked already: the answer is to be waited for.
    Asked,
    /// The keys are known and getting old.
    Stale,
}

impl KeyServer {
    /// A server of which nothing is known yet.
    pub fn new(url: Url) -> Self {
        Self(Arc::new(Inner { url, known: RwLock::default(), gate: tokio::sync::Mutex::default() }))
    }

    /// Its address.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Held while asking, so that a crowd of tokens asks once.
    pub fn gate(&self) -> &tokio::sync::Mutex<()> {
        &self.0.gate
    }

    /// The keys known now.
    pub fn keys(&self) -> Arc<[PublicKey]> {
        Arc::clone(&self.read().keys)
    }

    /// Whether the last request to it failed.
    pub fn is_unreachable(&self) -> bool {
        self.read().failed
    }

    /// Whether it is to be asked before a token that names `kid` is judged.
    pub fn due(&self, kid: Option<&str>, now: Instant) -> Option<Due> {
        let known = self.read();
        let unknown = !known.keys.iter().any(|key| key.may_be(kid));
        if known.asked.is_some_and(|asked| now.saturating_duration_since(asked) < COOL_DOWN) {
            return (unknown && known.asking).then_some(Due::Asked);
        }
        if unknown {
            return Some(Due::Unknown);
        }
        let fresh = known.learned.is_some_and(|learned| now.saturating_duration_since(learned) < REFRESH);
        (!fresh).then_some(Due::Stale)
    }

    /// It is being asked: the cool-down begins, however that ends.
    pub fn asking(&self, now: Instant) {
        let mut known = self.write();
        known.asked = Some(now);
        known.asking = true;
    }

    /// It answered with this set, which replaces what was known; a set of no use counts as no answer.
    pub fn answered(&self, set: &[u8], now: Instant) -> Result<(), JwksFault> {
        let keys = PublicKey::set(set);
        let mut known = self.write();
        known.asking = false;
        known.failed = keys.is_err();
        known.keys = keys?.into();
        known.learned = Some(now);
        Ok(())
    }

    /// It could not be asked; the old keys stay.
    pub fn failed(&self) {
        let mut known = self.write();
        known.asking = false;
        known.failed = true;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4).is_loopback(),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6).is_loopback(),
        None => false,
    }
}

impl PartialEq for KeyServer {
    fn eq(&self, other: &Self) -> bool {
        self.0.url == other.0.url
    }
}

impl fmt::Debug for KeyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyServer").field(&self.0.url.as_str()).finish()
    }
}
