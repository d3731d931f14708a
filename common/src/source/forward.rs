//! Forwarding: where a source's events are delivered to the user's own service, and how they are signed on the way.
//!
//! Standard Webhooks 1.0, so that the service can verify with any of its libraries. Nothing here calls anybody.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use url::Url;

use super::key::{Key, KeyFault, KeyForm};
use crate::{event::EventId, secret::Secret};

/// Shortest signing key, in bytes: what Standard Webhooks demands.
const KEY_LEAST: usize = 24;

/// A forwarding that cannot be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ForwardFault {
    /// Basic credentials in the URL would end in logs and are no proof of anything.
    #[error("{0} carries a user name or password: the deliveries are signed with `forward_secret` instead")]
    Credentials(String),
    /// The same URL twice.
    #[error("{0} is listed twice")]
    Twice(String),
    /// A signing secret is of no use.
    #[error("number {number} {fault}")]
    Secret {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// A public key cannot sign.
    #[error("number {0} is a public key, which cannot sign: write a shared secret, `whsec_…`")]
    Public(usize),
    /// A signing secret can be guessed.
    #[error("number {number} has {found} bytes after decoding, and must have at least {KEY_LEAST}")]
    Short {
        /// Which one, counted from 1.
        number: usize,
        /// How many it has.
        found: usize,
    },
}

/// One destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Where deliveries go.
    pub url: Url,
    /// First 16 hex digits of SHA-256 over the URL: what arrivals are noted under.
    pub label: String,
}

/// Where and how a source's events are forwarded.
#[derive(Clone, Debug)]
pub struct Forward {
    destinations: Vec<Destination>,
    keys: Vec<Secret>,
    /// Whether destinations may have private and loopback addresses.
    private: bool,
}

impl Forward {
    /// Checks destinations and secrets; the first secret is the newest, and each signs, so that the receiving service
    /// can rotate with an overlap.
    pub fn new(urls: &[Url], secrets: &[Secret], private: bool) -> Result<Self, ForwardFault> {
        let mut destinations: Vec<Destination> = Vec::with_capacity(urls.len());
        for url in urls {
            let shown = shown(url);
            if !url.username().is_empty() || url.password().is_some() {
                return Err(ForwardFault::Credentials(shown));
            }
            if destinations.iter().any(|known| known.url == *url) {
                return Err(ForwardFault::Twice(shown));
            }
            let digest = hex::encode(Sha256::digest(url.as_str()));
            let label = digest.chars().take(16).collect();
            destinations.push(Destination { url: url.clone(), label });
        }
        let keys =
            secrets.iter().zip(1..).map(|(secret, number)| signing_key(secret, number)).collect::<Result<_, _>>()?;
        Ok(Self { destinations, keys, private })
    }

    /// Every destination.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// Whether destinations may have private and loopback addresses.
    pub fn allows_private(&self) -> bool {
        self.private
    }

    /// `webhook-signature`: one `v1` for each key, over `{id}.{timestamp}.{body}`. `timestamp` is in seconds.
    pub fn signature(&self, id: EventId, timestamp: i64, body: &Bytes) -> String {
        let head = format!("{id}.{timestamp}.");
        let sign = |key: &Secret| {
            // HMAC takes a key of any length, so this is never an error.
            let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
            mac.update(head.as_bytes());
            mac.update(body);
            Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
        };
        self.keys.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
    }
}

impl Destination {
    /// The URL without its query, which may hold a token: for logs and errors.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Host and port: what a breaker and a bound on concurrency are kept for.
    pub fn authority(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn signing_key(secret: &Secret, number: usize) -> Result<Secret, ForwardFault> {
    let key = Key::read(secret, KeyForm::StandardWebhooks).map_err(|fault| ForwardFault::Secret { number, fault })?;
    let shared = key.shared().ok_or(ForwardFault::Public(number))?;
    match shared.expose().len() {
        found if found < KEY_LEAST => Err(ForwardFault::Short { number, found }),
        _ => Ok(shared.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_delivery_is_signed_as_standard_webhooks_says_once_for_each_secret() {
        let (new, old) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQt");
        let forward = Forward::new(&[url("https://a.example/")], &[new.into(), old.into()], false).unwrap();
        let id: EventId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let signature = forward.signature(id, 1_614_265_330, &Bytes::from_static(br#"{"test": 2432232314}"#));
        let each: Vec<_> = signature.split(' ').collect();
        assert_eq!(each.len(), 2);
        assert!(each.iter().all(|one| one.starts_with("v1,") && one.len() == 47), "{signature}");
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn what_would_leak_or_could_be_guessed_is_refused() {
        let good = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let refused =
            |urls: &[Url], secret: &Secret| Forward::new(urls, std::slice::from_ref(secret), false).unwrap_err();
        let said = refused(&[url("https://u:hunter2@a.example/x?t=1")], &good).to_string();
        assert!(said.contains("https://a.example/x carries") && !said.contains("hunter2"), "{said}");
        let twice = refused(&[url("https://a.example/"), url("https://a.example/")], &good);
        assert_eq!(twice, ForwardFault::Twice("https://a.example/".into()));
        assert_eq!(refused(&[], &"whsec_c2hvcnQ=".into()), ForwardFault::Short { number: 1, found: 5 });
        assert!(matches!(refused(&[], &"plain".into()), ForwardFault::Secret { number: 1, .. }));
    }
}
