//! A source's keys: secrets that sign, tokens that are shared, public keys that verify.
//!
//! A key is decoded once, when the settings are read; what is wrong with it is said there, never at a request.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use thiserror::Error;

use crate::secret::Secret;

/// Base64 that takes its padding or leaves it: senders do both.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// URL-safe base64, padded or not.
pub(super) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// URL-safe base64 without padding, as tokens have it: one token has one spelling (RFC 7515).
pub(super) const BASE64_URL_BARE: GeneralPurpose = base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The fixed head of an uncompressed P-256 public key in SubjectPublicKeyInfo form (RFC 5480); the point follows.
const P256_SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// How a key is written in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The text itself is the key, whole.
    Text,
    /// The key's bytes in hex.
    Hex,
    /// The key's bytes in base64.
    Base64,
    /// Standard Webhooks: base64 after `whsec_` (HMAC) or `whpk_` (Ed25519 public key).
    StandardWebhooks,
    /// An Ed25519 public key, 32 bytes in hex.
    Ed25519Hex,
    /// A P-256 public key: SubjectPublicKeyInfo in base64, with or without PEM's dashed lines.
    P256Spki,
}

/// A key that cannot be used. Says what is wrong, never the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// The encoding does not fit.
    #[error("is not {0}")]
    NotEncoded(&'static str),
    /// The wrong prefix.
    #[error("must start with `whsec_` (HMAC) or `whpk_` (Ed25519 public key)")]
    Prefix,
    /// The wrong length for its algorithm.
    #[error("has {found} bytes after decoding, and must have {wanted}")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it must have.
        wanted: usize,
    },
    /// Not a P-256 key.
    #[error("is not an uncompressed P-256 public key")]
    NotP256,
    /// A secret that stands in a URL is the only lock there is.
    #[error("stands in the URL as the only credential, and must have at least {0} characters (128 bits)")]
    TooShort(usize),
}

/// A key, decoded.
#[derive(Clone, Debug)]
pub struct Key {
    label: String,
    material: Material,
    token: bool,
}

/// What a key is made of.
#[derive(Clone, Debug)]
pub(super) enum Material {
    Shared(Secret),
    Ed25519([u8; 32]),
    P256(Box<[u8]>),
}

impl Key {
    /// Decodes a key.
    pub fn read(secret: &Secret, form: KeyForm) -> Result<Self, KeyFault> {
        let written = secret.expose();
        if written.is_empty() {
            return Err(KeyFault::Empty);
        }
        let material = match form {
            KeyForm::Text => Material::Shared(secret.clone()),
            KeyForm::Hex => Material::Shared(Secret::new(unhex(written)?)),
            KeyForm::Base64 => Material::Shared(Secret::new(unbase64(written)?)),
            KeyForm::StandardWebhooks => match (written.strip_prefix(b"whsec_"), written.strip_prefix(b"whpk_")) {
                (Some(encoded), _) => Material::Shared(Secret::new(unbase64(encoded)?)),
                (None, Some(encoded)) => Material::Ed25519(thirty_two(unbase64(encoded)?)?),
                (None, None) => return Err(KeyFault::Prefix),
            },
            KeyForm::Ed25519Hex => Material::Ed25519(thirty_two(unhex(written)?)?),
            KeyForm::P256Spki => Material::P256(p256_point(written)?),
        };
        if let Material::Shared(decoded) = &material
            && decoded.expose().is_empty()
        {
            return Err(KeyFault::Empty);
        }
        Ok(Self { label: secret.label(), material, token: false })
    }

    /// A token that is sent as it is, for sources that also have signing secrets: those never pass for it, nor it for one.
    pub fn token(secret: &Secret) -> Result<Self, KeyFault> {
        Ok(Self { token: true, ..Self::read(secret, KeyForm::Text)? })
    }

    /// Whether it is only a token.
    pub(super) fn is_token(&self) -> bool {
        self.token
    }

    /// [`Secret::label`] of the key as written: what its last use is recorded under.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn material(&self) -> &Material {
        &self.material
    }

    /// The secret's bytes, where sender and receiver share one.
    pub(super) fn shared(&self) -> Option<&Secret> {
        match &self.material {
            Material::Shared(secret) => Some(secret),
            Material::Ed25519(_) | Material::P256(_) => None,
        }
    }
}

/// Where the keys of a source come from.
#[derive(Clone, Debug)]
pub enum Keys {
    /// From the settings; all of them verify, so that a rotation has an overlap.
    Fixed(Vec<Key>),
    /// From the store, by the tenant that [`super::Source::tenant_hint`] reads out of the request.
    ByTenant,
}

fn unhex(written: &[u8]) -> Result<Vec<u8>, KeyFault> {
    hex::decode(written).map_err(|_| KeyFault::NotEncoded("hex"))
}

fn unbase64(written: &[u8]) -> Result<Vec<u8>, KeyFault> {
    BASE64.decode(written).map_err(|_| KeyFault::NotEncoded("base64"))
}

fn thirty_two(bytes: Vec<u8>) -> Result<[u8; 32], KeyFault> {
    bytes.try_into().map_err(|bytes: Vec<u8>| KeyFault::Length { found: bytes.len(), wanted: 32 })
}

fn p256_point(written: &[u8]) -> Result<Box<[u8]>, KeyFault> {
    let text = std::str::from_utf8(written).map_err(|_| KeyFault::NotEncoded("base64"))?;
    let bare: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let spki = unbase64(bare.as_bytes())?;
    let point = spki.strip_prefix(&P256_SPKI_HEAD).ok_or(KeyFault::NotP256)?;
    (point.len() == 65 && point.first() == Some(&4)).then(|| point.into()).ok_or(KeyFault::NotP256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, form: KeyForm) -> KeyFault {
        Key::read(&text.into(), form).unwrap_err()
    }

    #[test]
    fn a_bad_key_is_refused_when_it_is_read() {
        assert_eq!(fault("", KeyForm::Text), KeyFault::Empty);
        assert_eq!(fault("whsec_", KeyForm::StandardWebhooks), KeyFault::Empty);
        assert_eq!(fault("secret", KeyForm::StandardWebhooks), KeyFault::Prefix);
        assert_eq!(fault("whpk_AAAA", KeyForm::StandardWebhooks), KeyFault::Length { found: 3, wanted: 32 });
        assert_eq!(fault("xyz", KeyForm::Ed25519Hex), KeyFault::NotEncoded("hex"));
        assert_eq!(fault("AAAA", KeyForm::P256Spki), KeyFault::NotP256);
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = Key::read(&"hunter2-hunter2".into(), KeyForm::Text).unwrap();
        assert!(!format!("{key:?}").contains("hunter2"));
    }
}
