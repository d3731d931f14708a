//! Encryption at rest for what must be read again (API tokens, webhook secrets): AES-256-GCM under a key that the
//! database never sees.
//!
//! A sealed value says which key sealed it, so that a key can be replaced while older values are still read, and it is
//! bound to the row it stands in, so that it cannot be moved to another. Secrets that only have to be the same again (a
//! token that is mailed) are derived instead, and stored nowhere. Nothing here knows where the values are stored.

use std::fmt;

use base64::Engine as _;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// The layout that is written: version, key id, nonce, ciphertext with its tag.
const VERSION: u8 = 1;
/// Bytes of the key's SHA-256 that name it.
const KEY_ID_LEN: usize = 4;
/// Bytes before the ciphertext.
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Why a value could not be sealed or opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    /// The configured key is not 32 bytes.
    #[error(
        "an encryption key must be 32 bytes, written as 64 hex digits or in base64 (make one: openssl rand -hex 32)"
    )]
    KeyLength,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The value was sealed with a key that is not configured.
    #[error("the value was sealed with the encryption key {0}, which is not configured: add it to the previous keys")]
    UnknownKey(String),
    /// The value is damaged, or was moved here from another row.
    #[error("the sealed value is damaged or stands in the wrong row")]
    Damaged,
}

/// What is derived from a key is derived from this under it, so that it says nothing about what the key seals.
const DERIVING: &[u8] = b"lychgate derived secrets v1";

/// Seals with the current key, opens with it and the previous ones.
pub struct Vault {
    keys: Vec<(KeyId, LessSafeKey)>,
    /// For derived secrets, in the same order.
    deriving: Vec<hmac::Key>,
    random: SystemRandom,
}

type KeyId = [u8; KEY_ID_LEN];

impl Vault {
    /// A vault that seals with `current` and still opens what `previous` keys sealed. Each key is 32 bytes: raw, as 64
    /// hex digits, or in base64.
    ///
    /// # Errors
    /// [`VaultError::KeyLength`] when one of them is not.
    pub fn new(current: &Secret, previous: &[Secret]) -> Result<Self, VaultError> {
        let bytes = || std::iter::once(current).chain(previous).map(|key| key_bytes(key.expose()));
        let keys = bytes().map(|bytes| key(bytes.ok_or(VaultError::KeyLength)?)).collect::<Result<_, _>>()?;
        let deriving = bytes().flatten().map(|bytes| {
            let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), DERIVING);
            hmac::Key::new(hmac::HMAC_SHA256, own.as_ref())
        });
        Ok(Self { deriving: deriving.collect(), keys, random: SystemRandom::new() })
    }

    /// 32 bytes for what `name` names, the same whenever they are asked for: by the current key, then by each previous
    /// one.
    pub fn derive(&self, name: &str) -> impl Iterator<Item = [u8; 32]> {
        self.deriving.iter().filter_map(move |key| hmac::sign(key, name.as_bytes()).as_ref().try_into().ok())
    }

    /// Seals `plain` for the row that `row` names. The same `row` opens it.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn seal(&self, row: &str, plain: &Secret) -> Result<Vec<u8>, VaultError> {
        let (id, key) = self.keys.first().ok_or(VaultError::KeyLength)?;
        let nonce: [u8; NONCE_LEN] = random(&self.random)?;
        let mut text = plain.expose().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(row), &mut text)
            .map_err(|_| VaultError::Damaged)?;
        Ok([&[VERSION], id.as_slice(), nonce.as_slice(), text.as_slice()].concat())
    }

    /// Opens what [`Vault::seal`] made for the same row.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] or [`VaultError::Damaged`].
    pub fn open(&self, row: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        let (head, text) = sealed.split_at_checked(HEAD_LEN).ok_or(VaultError::Damaged)?;
        let (&version, head) = head.split_first().ok_or(VaultError::Damaged)?;
        let (id, nonce) = head.split_at_checked(KEY_ID_LEN).ok_or(VaultError::Damaged)?;
        if version != VERSION {
            return Err(VaultError::Damaged);
        }
        let (_, key) =
            self.keys.iter().find(|(known, _)| known == id).ok_or_else(|| VaultError::UnknownKey(hex::encode(id)))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Damaged)?;
        let mut text = text.to_vec();
        let plain = key.open_in_place(nonce, Aad::from(row), &mut text).map_err(|_| VaultError::Damaged)?;
        Ok(Secret::new(&*plain))
    }

    /// Whether `sealed` was made with an older key and should be sealed again.
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        self.keys.first().is_none_or(|(id, _)| sealed.get(1..=KEY_ID_LEN) != Some(id.as_slice()))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// A fresh webhook secret: 24 bytes from the operating system, written as 32 characters of base64url.
///
/// # Errors
/// [`VaultError::Random`].
pub fn generate_secret() -> Result<Secret, VaultError> {
    let bytes: [u8; 24] = random(&SystemRandom::new())?;
    Ok(Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
}

fn random<const N: usize>(source: &SystemRandom) -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    source.fill(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

fn key(bytes: [u8; 32]) -> Result<(KeyId, LessSafeKey), VaultError> {
    let unbound = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::KeyLength)?;
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, ..] = digest;
    Ok(([a, b, c, d], LessSafeKey::new(unbound)))
}

fn key_bytes(written: &[u8]) -> Option<[u8; 32]> {
    if let Ok(raw) = <[u8; 32]>::try_from(written) {
        return Some(raw);
    }
    let text = std::str::from_utf8(written).ok()?.trim();
    let decoded = match text.len() {
        64 => hex::decode(text).ok()?,
        _ => {
            let url = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(url).ok()?
        }
    };
    decoded.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(current: u8, previous: &[u8]) -> Vault {
        let written = |byte: u8| Secret::new(vec![byte; 32]);
        Vault::new(&written(current), &previous.iter().map(|&byte| written(byte)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_was_sealed_for_a_row_opens_for_that_row_only() {
        let vault = vault(1, &[]);
        let sealed = vault.seal("campus/1", &Secret::from("token")).unwrap();
        assert_eq!(vault.open("campus/1", &sealed), Ok(Secret::from("token")));
        assert_eq!(vault.open("campus/2", &sealed), Err(VaultError::Damaged));
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let vault = vault(1, &[]);
        let sealed = vault.seal("row", &Secret::from("token")).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open("row", &changed).is_err(), "byte {at}");
            assert!(vault.open("row", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn equal_values_are_sealed_differently_and_the_plain_text_does_not_show() {
        let vault = vault(1, &[]);
        let [one, two] = [(); 2].map(|()| vault.seal("row", &Secret::from("token-token")).unwrap());
        assert_ne!(one, two);
        assert!(!one.windows(5).any(|bytes| bytes == b"token"));
    }

    #[test]
    fn a_replaced_key_still_opens_old_values_until_it_is_removed() {
        let sealed = vault(1, &[]).seal("row", &Secret::from("token")).unwrap();
        let rotated = vault(2, &[1]);
        assert_eq!(rotated.open("row", &sealed), Ok(Secret::from("token")));
        assert!(rotated.is_outdated(&sealed));
        assert!(!rotated.is_outdated(&rotated.seal("row", &Secret::from("token")).unwrap()));
        assert!(matches!(vault(2, &[]).open("row", &sealed), Err(VaultError::UnknownKey(_))));
    }

    #[test]
    fn a_key_may_be_raw_hex_or_base64_and_must_be_32_bytes() {
        let sealed = vault(7, &[]).seal("row", &Secret::from("token")).unwrap();
        let hex = hex::encode([7; 32]);
        let base64 = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        for written in [hex, base64] {
            let vault = Vault::new(&Secret::from(written.as_str()), &[]).unwrap();
            assert_eq!(vault.open("row", &sealed), Ok(Secret::from("token")));
        }
        assert_eq!(Vault::new(&Secret::from("short"), &[]).unwrap_err(), VaultError::KeyLength);
    }

    #[test]
    fn what_is_derived_is_the_same_again_for_its_name_and_key_only() {
        let one = |vault: &Vault, name: &str| vault.derive(name).next().unwrap();
        assert_eq!(one(&vault(1, &[]), "mail/1"), one(&vault(1, &[2]), "mail/1"));
        assert_ne!(one(&vault(1, &[]), "mail/1"), one(&vault(1, &[]), "mail/2"));
        assert_ne!(one(&vault(1, &[]), "mail/1"), one(&vault(2, &[]), "mail/1"));
        assert_eq!(vault(2, &[1]).derive("mail/1").nth(1), vault(1, &[]).derive("mail/1").next());
    }

    #[test]
    fn generated_secrets_have_32_url_safe_characters_and_differ() {
        let [one, two] = [(); 2].map(|()| generate_secret().unwrap());
        let text = one.expose_str().unwrap();
        assert_eq!(text.len(), 32);
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        assert_ne!(one, two);
    }
}
