//! Secrets, and what is signed with them.
//!
//! A secret is `whsec_` and base64, as Standard Webhooks has it. Its libraries decode it; document D's verifier does not,
//! so the key of `X-Platform-Signature` is the whole text, prefix and all.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::Sha256;

use crate::{secret::Secret, vault::VaultError};

/// Bytes of a fresh key: Standard Webhooks asks for 24 to 64.
const KEY_LENGTH: usize = 32;

/// What an endpoint's deliveries are signed with.
#[derive(Clone, Debug)]
pub struct Signing {
    /// Every secret in force, the newest first: each makes a signature of Standard Webhooks.
    pub secrets: Vec<Secret>,
}

impl Signing {
    /// `X-Platform-Signature`, which has room for one. It is the oldest secret's: a rotation takes hold there when its
    /// overlap ends, so that nothing is refused before its receiver could know the new secret.
    pub fn platform(&self, body: &Bytes) -> Option<String> {
        self.secrets.last().map(|secret| platform_signature(secret, body))
    }
}

/// Document D's signature: `sha256=` and HMAC-SHA256 of the body in hex, under the secret's text.
pub fn platform_signature(secret: &Secret, body: &[u8]) -> String {
    // HMAC takes a key of any length, so there always is one.
    let digest = Hmac::<Sha256>::new_from_slice(secret.expose()).map(|mut mac| {
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    });
    format!("sha256={}", digest.unwrap_or_default())
}

/// A fresh secret.
///
/// # Errors
/// [`VaultError::Random`].
pub fn generate_secret() -> Result<Secret, VaultError> {
    let mut key = [0; KEY_LENGTH];
    SystemRandom::new().fill(&mut key).map_err(|_| VaultError::Random)?;
    Ok(Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_signature_is_made_with_the_secrets_text_and_the_oldest_in_force() {
        // echo -n '{"a":1}' | openssl dgst -sha256 -hmac 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
        let expected = "sha256=45ec03b2b33403c8043a90de06bedad0827183927115fd7e448ef97eeb13c5be";
        let old = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signing = Signing { secrets: vec![generate_secret().unwrap(), old] };
        assert_eq!(signing.platform(&Bytes::from_static(br#"{"a":1}"#)).as_deref(), Some(expected));
    }

    #[test]
    fn a_fresh_secret_is_one_that_standard_webhooks_takes() {
        let secret = generate_secret().unwrap();
        let text = secret.expose_str().unwrap();
        assert_eq!(BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap().len(), KEY_LENGTH);
    }
}
