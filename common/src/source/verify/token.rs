//! A token that sender and receiver share, sent as it is: an API key, a bearer token, a secret in the URL.
//!
//! Proves who called, not what was sent: nothing in the request is covered by it.

use super::super::{
    key::{Key, KeyFault},
    place::Place,
    refused::Refused,
    request::Authentic,
};

/// A secret in the URL must have at least this many characters: 128 bits in base64url.
pub const URL_SECRET_LENGTH: usize = 22;

/// Where the token stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The first of these that holds something.
    pub at: Vec<Place>,
}

impl Token {
    /// Whether a key will do for this source.
    pub(in super::super) fn admits(&self, key: &Key) -> Result<(), KeyFault> {
        let length = key.shared().map_or(0, |secret| secret.expose().len());
        if self.in_url() && length < URL_SECRET_LENGTH { Err(KeyFault::TooShort(URL_SECRET_LENGTH)) } else { Ok(()) }
    }

    /// Whether it stands in the URL, where logs and browsers see it.
    pub(super) fn in_url(&self) -> bool {
        self.at.iter().any(|place| matches!(place, Place::Query(_) | Place::Path(_)))
    }

    pub(super) fn verify(&self, offered: &str, keys: &[Key]) -> Result<Authentic, Refused> {
        let mut verified = None;
        for key in keys {
            let good = key.shared().is_some_and(|secret| secret.matches(offered.as_bytes()));
            if good && verified.is_none() {
                verified = Some(key.label().to_owned());
            }
        }
        let secret = verified.ok_or(Refused::TokenWrong)?;
        Ok(Authentic { secret, payload: None })
    }
}
