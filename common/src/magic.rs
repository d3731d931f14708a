//! Magic tokens: 32 random bytes that sign somebody in once, within 24 hours.
//!
//! The token goes to its owner by mail and is kept nowhere; what is stored and compared is its SHA-256. Neither can be
//! printed by accident. One that is mailed is made from the mail's id with a key that the database never sees: so every
//! attempt at sending brings the same one, and none has to be stored for the next.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use uuid::Uuid;

use crate::{secret::Secret, vault::Vault};

/// Document A: "24-hour token expiry".
pub const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Random bytes of a token.
const LENGTH: usize = 32;
/// 32 bytes in base64url; longer than this is nobody's token.
pub const TEXT_LENGTH: usize = 43;

/// The operating system gave no random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandom;

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct MagicToken(Secret);

/// A token's SHA-256 in hex: what the store keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint(String);

impl MagicToken {
    /// A fresh one.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn generate() -> Result<Self, NoRandom> {
        let mut bytes = [0; LENGTH];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
        Ok(Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The one that a mail brings: by the current key, then by each previous one.
    pub fn of_mail(vault: &Vault, mail: Uuid) -> impl Iterator<Item = Self> {
        let bytes = vault.derive(&format!("magic/{mail}")).collect::<Vec<_>>().into_iter();
        bytes.map(|bytes| Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The token itself, for its owner's mail. Don't log or store it.
    pub fn expose(&self) -> &str {
        self.0.expose_str().unwrap_or_default()
    }

    /// What is stored of it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.expose())
    }

    /// When one that is made at `now` expires.
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        now.checked_add(LIFE).unwrap_or(Timestamp::MAX)
    }
}

impl Fingerprint {
    /// Of a token that somebody brings.
    pub fn of(token: &str) -> Self {
        Self(hex::encode(Sha256::digest(token.as_bytes())))
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares with a stored one in constant time.
    pub fn matches(&self, stored: &str) -> bool {
        self.0.as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_unique_and_of_256_bits_and_do_not_print() {
        let (one, other) = (MagicToken::generate().unwrap(), MagicToken::generate().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), TEXT_LENGTH);
        assert!(one.fingerprint().matches(Fingerprint::of(one.expose()).as_str()));
        assert!(!one.fingerprint().matches(other.fingerprint().as_str()));
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
