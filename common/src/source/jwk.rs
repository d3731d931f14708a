//! Public keys as JSON Web Keys (RFC 7517): RSA, P-256, Ed25519, from a set that a sender publishes.
//!
//! Keys for other uses and of other kinds are passed over, because sets hold what their owner needs; a set in which
//! nothing is left is refused. Symmetric keys are never taken: whoever publishes one has no secret.

use base64::Engine as _;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use thiserror::Error;

use super::{key::BASE64_URL, verify::JwsAlgorithm};

/// Most keys that are read of one set: the large identity providers publish fewer than ten.
const KEY_LIMIT: usize = 100;

/// Longest key id that is compared or shown, in bytes.
const KID_LIMIT: usize = 255;

/// A set that is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwksFault {
    /// Not a set at all.
    #[error("is no JSON Web Key Set: {0}")]
    NotASet(String),
    /// Nothing in it verifies anything.
    #[error("holds no RSA, P-256 or Ed25519 key for signatures")]
    NoKey,
}

/// A public key and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// A key as it is written.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl PublicKey {
    /// Every usable key of a set.
    pub fn set(text: &[u8]) -> Result<Vec<Self>, JwksFault> {
        let set: Set = serde_json::from_slice(text).map_err(|fault| JwksFault::NotASet(fault.to_string()))?;
        let keys: Vec<_> = set.keys.into_iter().take(KEY_LIMIT).filter_map(Self::one).collect();
        if keys.is_empty() { Err(JwksFault::NoKey) } else { Ok(keys) }
    }

    /// One key by itself.
    pub(super) fn one(written: serde_json::Value) -> Option<Self> {
        serde_json::from_value(written).ok().and_then(Self::read)
    }

    fn read(written: Written) -> Option<Self> {
        if written.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |part: &Option<String>| part.as_ref().and_then(|text| BASE64_URL.decode(text).ok());
        let (material, algorithm) = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => (Material::Rsa { n: bytes(&written.n)?, e: bytes(&written.e)? }, JwsAlgorithm::Rs256),
            ("EC", Some("P-256")) => {
                let (x, y): ([u8; 32], [u8; 32]) =
                    (bytes(&written.x)?.try_into().ok()?, bytes(&written.y)?.try_into().ok()?);
                let mut point = [4; 65];
                point.iter_mut().skip(1).zip(x.into_iter().chain(y)).for_each(|(to, from)| *to = from);
                (Material::P256(point), JwsAlgorithm::Es256)
            }
            ("OKP", Some("Ed25519")) => (Material::Ed25519(bytes(&written.x)?.try_into().ok()?), JwsAlgorithm::EdDsa),
            (_, _) => return None,
        };
        if written.alg.is_some_and(|alg| alg != algorithm.name())
            || written.kid.as_ref().is_some_and(|kid| kid.len() > KID_LIMIT)
        {
            return None;
        }
        Some(Self { kid: written.kid, material })
    }

    /// Its name in the set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What its last use is recorded under.
    pub(super) fn label(&self) -> String {
        format!("jwk:{}", self.kid.as_deref().unwrap_or("unnamed"))
    }

    /// Whether it may have made a token that names this key; one without a name is tried with every key.
    pub(super) fn may_be(&self, kid: Option<&str>) -> bool {
        match (self.kid.as_deref(), kid) {
            (Some(own), Some(named)) => own == named,
            (None, _) | (_, None) => true,
        }
    }

    /// Whether it made this signature with this algorithm. A key serves one algorithm only.
    pub(super) fn verifies(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, JwsAlgorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Material::P256(point), JwsAlgorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Material::Ed25519(public), JwsAlgorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
            }
            (Material::Rsa { .. } | Material::P256(_) | Material::Ed25519(_), _) => false,
        }
    }
}
