//! Certificates by their address: what is known of each, and when it is to be fetched.
//!
//! Fetches nothing itself: the gateway does, when [`Certificates::due`] allows it. Addresses come from requests that nobody
//! has vouched for yet, so their number is bounded, and with it how often strangers can make us ask.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use url::Url;

use super::certificate::{Certificate, CertificateFault};

/// The least time between two requests for one address.
const COOL_DOWN: Duration = super::jwks::COOL_DOWN;

/// Most addresses that are remembered of a source: senders use one or two, and the next one while they change. So many
/// requests at most leave for a source within a cool-down, whatever strangers send.
pub const ADDRESS_LIMIT: usize = 16;

/// The certificates of one source. Clones share what is known.
#[derive(Clone, Debug, Default)]
pub struct Certificates(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: RwLock<HashMap<Url, Known>>,
    gate: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    asked: Instant,
    found: Found,
    /// It has verified something: strangers' addresses do not push it out.
    proven: bool,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A certificate.
    Good(Arc<Certificate>),
    /// It was answered with something else.
    Useless,
    /// It has not been answered.
    Unreachable,
}

impl Certificates {
    /// Held while asking, so that a crowd of requests asks once, and waits for the answer.
    pub fn gate(&self) -> &tokio::sync::Mutex<()> {
        &self.0.gate
    }

    /// What is known of an address.
    pub fn at(&self, address: &Url) -> Found {
        self.read().get(address).map_or(Found::Unreachable, |known| known.found.clone())
    }

    /// Whether a certificate from there is known that counts at this time.
    pub fn has(&self, address: &Url, at: Timestamp) -> bool {
        matches!(self.at(address), Found::Good(certificate) if certificate.is_valid(at))
    }

    /// Whether the address, which is said to have nothing that counts, may be asked now.
    pub fn due(&self, address: &Url, now: Instant) -> bool {
        let known = self.read();
        match known.get(address) {
            Some(known) => known.has_cooled(now),
            None => known.len() < ADDRESS_LIMIT || least(&known, now).is_some(),
        }
    }

    /// It is being asked: the cool-down begins, however that ends. The least useful address makes room.
    pub fn asking(&self, address: &Url, now: Instant) {
        let mut known = self.write();
        if let Some(known) = known.get_mut(address) {
            known.asked = now;
            return;
        }
        if known.len() >= ADDRESS_LIMIT {
            let Some(least) = least(&known, now) else { return };
            known.remove(&least);
        }
        known.insert(address.clone(), Known { asked: now, found: Found::Unreachable, proven: false });
    }

    /// It answered with this.
    pub fn answered(&self, address: &Url, pem: &[u8]) -> Result<(), CertificateFault> {
        let read = Certificate::read(pem).map(Arc::new);
        self.learn(address, read.as_ref().map_or(Found::Useless, |certificate| Found::Good(Arc::clone(certificate))));
        read.map(drop)
    }

    /// It could not be asked, or (`useless`) answered that there is no certificate.
    pub fn failed(&self, address: &Url, useless: bool) {
        self.learn(address, if useless { Found::Useless } else { Found::Unreachable });
    }

    /// The certificate there has verified a request.
    pub(super) fn proven(&self, address: &Url) {
        if self.read().get(address).is_some_and(|known| !known.proven)
            && let Some(known) = self.write().get_mut(address)
        {
            known.proven = true;
        }
    }

    fn learn(&self, address: &Url, found: Found) {
        if let Some(known) = self.write().get_mut(address) {
            known.found = found;
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Url, Known>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Url, Known>> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn has_cooled(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked) >= COOL_DOWN
    }
}

/// The address that can make room: never one that has proven itself, unless all have.
fn least(known: &HashMap<Url, Known>, now: Instant) -> Option<Url> {
    let all_proven = known.values().all(|known| known.proven);
    let free = known.iter().filter(|(_, known)| known.has_cooled(now) && (all_proven || !known.proven));
    let worth = |known: &Known| (matches!(known.found, Found::Good(_)), known.asked);
    free.min_by_key(|(_, known)| worth(known)).map(|(address, _)| address.clone())
}

/// What is remembered is no part of how a source is set.
impl PartialEq for Certificates {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
