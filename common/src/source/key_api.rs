//! Keys that a sender hands out one by one, by their id, to those with credentials of its interface: Plaid.
//!
//! Asks nothing itself: the gateway does. Ids come from tokens that nobody has vouched for yet, so that each is asked for
//! at most once in a cool-down, and only so many of them. A known key stays good while the interface cannot be reached.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use url::Url;

use super::{
    jwk::PublicKey,
    lookups::{Found, Lookups},
};
use crate::secret::Secret;

/// Plaid's interface in production. Its sandbox is `https://sandbox.plaid.com`.
pub(super) const PLAID: &str = "https://production.plaid.com";

/// Where in the interface a key is asked for.
const PATH: &str = "webhook_verification_key/get";

/// How Plaid says that there is no such key, rather than that the question was bad.
const NO_SUCH_KEY: &str = "INVALID_WEBHOOK_VERIFICATION_KEY_ID";

/// How long a key is taken as current: one that is withdrawn is refused after this at the latest.
const REFRESH: Duration = super::jwks::REFRESH;

/// An answer that is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyApiFault {
    /// Not the interface's answer.
    #[error("is not what Plaid answers: {0}")]
    Unknown(String),
    /// No P-256 key of this id.
    #[error("holds no key for signatures of the id that was asked for")]
    NoKey,
    /// The sender has withdrawn it.
    #[error("says that the key has expired")]
    Expired,
}

/// The interface, and what it has answered. Clones share that.
#[derive(Clone, PartialEq)]
pub struct KeyApi {
    url: Url,
    client_id: Arc<str>,
    secret: Secret,
    known: Lookups<Arc<str>, Learned>,
}

#[derive(Debug)]
struct Learned {
    key: PublicKey,
    at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    key: serde_json::Value,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: String,
}

impl KeyApi {
    /// An interface of which nothing is known yet; `base` without a path.
    pub fn new(base: &Url, client_id: &str, secret: Secret) -> Self {
        let mut url = base.clone();
        url.set_path(PATH);
        Self { url, client_id: client_id.into(), secret, known: Lookups::default() }
    }

    /// Where to post [`KeyApi::question`].
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The question for a key, as JSON. Holds the credentials.
    pub fn question(&self, kid: &str) -> String {
        json!({"client_id": &*self.client_id, "secret": self.secret.expose_str(), "key_id": kid}).to_string()
    }

    /// Held while asking, so that a crowd of requests asks once.
    pub fn gate(&self) -> &tokio::sync::Mutex<()> {
        self.known.gate()
    }

    /// The key of this id, if it is known.
    pub fn key(&self, kid: &str) -> Found<PublicKey> {
        match self.known.at(&kid.into()) {
            Found::Good(learned) => Found::Good(Arc::new(learned.key.clone())),
            Found::Useless => Found::Useless,
            Found::Unreachable => Found::Unreachable,
        }
    }

    /// Whether the key is known, and was asked for not long ago.
    pub fn has(&self, kid: &str, now: Instant) -> bool {
        let fresh = |learned: &Learned| now.saturating_duration_since(learned.at) < REFRESH;
        matches!(self.known.at(&kid.into()), Found::Good(learned) if fresh(&learned))
    }

    /// Whether the key may be asked for now.
    pub fn due(&self, kid: &str, now: Instant) -> bool {
        self.known.due(&kid.into(), now)
    }

    /// It is being asked for: the cool-down begins, however that ends.
    pub fn asking(&self, kid: &str, now: Instant) {
        self.known.asking(&kid.into(), now);
    }

    /// The interface answered with this.
    pub fn answered(&self, kid: &str, answer: &[u8], now: Instant) -> Result<(), KeyApiFault> {
        let read = read(kid, answer).map(|key| Arc::new(Learned { key, at: now }));
        match &read {
            Ok(learned) => self.known.learn(&kid.into(), Found::Good(Arc::clone(learned))),
            Err(KeyApiFault::NoKey | KeyApiFault::Expired) => self.known.learn(&kid.into(), Found::Useless),
            Err(KeyApiFault::Unknown(_)) => {}
        }
        read.map(drop)
    }

    /// The interface refused with this body. Only where it knows of no such key is the token at fault; wrong credentials
    /// of ours, and troubles of its own, are nobody's but the moment's, and change nothing about a key that is known.
    pub fn refused(&self, kid: &str, answer: &[u8]) {
        if serde_json::from_slice::<Refusal>(answer).is_ok_and(|refusal| refusal.error_code == NO_SUCH_KEY) {
            self.known.learn(&kid.into(), Found::Useless);
        }
    }

    /// The key of this id has verified a request.
    pub(super) fn proven(&self, kid: &str) {
        self.known.proven(&kid.into());
    }
}

fn read(kid: &str, answer: &[u8]) -> Result<PublicKey, KeyApiFault> {
    let Answer { key } = serde_json::from_slice(answer).map_err(|fault| KeyApiFault::Unknown(fault.to_string()))?;
    // `null`, or absent, while the key is in use.
    if key.get("expired_at").is_some_and(|at| !at.is_null()) {
        return Err(KeyApiFault::Expired);
    }
    PublicKey::one(key).filter(|key| key.kid() == Some(kid)).ok_or(KeyApiFault::NoKey)
}

impl fmt::Debug for KeyApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyApi").field(&self.url.as_str()).finish()
    }
}
