//! JSON Web Tokens as a sender makes them, for `lychgate send` and for tests.
//!
//! The secret is the shared one (HS256), or a private key in PKCS#8, as PEM or bare base64: RSA (RS256), P-256 (ES256) or
//! Ed25519 (EdDSA). Keys are told apart by their kind, not by a name.

use base64::Engine as _;
use bytes::Bytes;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        key::{BASE64, BASE64_URL_BARE},
        refused::Refused,
        sample::Draft,
        verify::{Hash, Jws, JwsAlgorithm, JwsAt, JwsPayload, mac},
    },
    Outgoing, SignFault, put_first,
};
use crate::secret::Secret;

/// How long a bearer token is good for, in seconds: long enough for a slow network, too short to be worth stealing.
const LIFE: i64 = 300;

/// The first bytes of a PKCS#8 key in base64: an ASN.1 sequence, of whatever length, and version 0 or 1.
const PKCS8: [&str; 3] = ["MI", "MC", "MF"];

/// Whether a secret is a private key and not a shared secret.
pub(super) fn is_private_key(secret: &Secret) -> bool {
    pkcs8(secret).is_some_and(|der| Pair::read(&der).is_some())
}

/// Signs the draft's token and puts it where the source looks for it.
pub(super) fn put(jws: &Jws, secret: &Secret, draft: &Draft<'_>, outgoing: &mut Outgoing) -> Result<(), SignFault> {
    let kid = jws.keys.iter().find_map(|key| key.kid());
    let token = match &jws.payload {
        JwsPayload::Detached => token(secret, kid, &outgoing.body, true)?,
        JwsPayload::Claims | JwsPayload::Digest { .. } => {
            let claims = Value::Object(claims(jws, draft, &outgoing.body)?).to_string();
            token(secret, kid, claims.as_bytes(), false)?
        }
    };
    match &jws.at {
        JwsAt::Body => outgoing.body = Bytes::from(token),
        JwsAt::Places(places) => put_first(places, &token, outgoing)?,
    }
    Ok(())
}

/// What the token claims: the event, where the body is the token; else who sends, and which body.
fn claims(jws: &Jws, draft: &Draft<'_>, body: &Bytes) -> Result<Map<String, Value>, SignFault> {
    let now = draft.at.as_second();
    let mut claims = match jws.at {
        JwsAt::Body => serde_json::from_slice(body).map_err(|fault| Refused::BodyNotJson { why: fault.to_string() })?,
        JwsAt::Places(_) => Map::new(),
    };
    claims.insert("iat".to_owned(), now.into());
    if jws.expires {
        claims.insert("exp".to_owned(), (now + LIFE).into());
    }
    for (claim, allowed) in [("iss", &jws.issuers), ("aud", &jws.audiences)] {
        if let Some(one) = allowed.first() {
            claims.insert(claim.to_owned(), one.as_str().into());
        }
    }
    if let JwsPayload::Digest { claim } = &jws.payload {
        claims.insert(claim.clone().into_owned(), hex::encode(Sha256::digest(body)).into());
    }
    Ok(claims)
}

/// A compact token over this payload, which is left out of it where it is `detached`.
fn token(secret: &Secret, kid: Option<&str>, payload: &[u8], detached: bool) -> Result<String, SignFault> {
    let pair = pkcs8(secret).and_then(|der| Pair::read(&der));
    let algorithm = pair.as_ref().map_or(JwsAlgorithm::Hs256, Pair::algorithm);
    let mut header = json!({"alg": algorithm.name(), "typ": "JWT"});
    if let (Some(header), Some(kid)) = (header.as_object_mut(), kid) {
        header.insert("kid".to_owned(), kid.into());
    }
    if let (Some(header), true) = (header.as_object_mut(), detached) {
        // An extension that a verifier must understand, says RFC 7797.
        header.insert("b64".to_owned(), false.into());
        header.insert("crit".to_owned(), json!(["b64"]));
    }
    let header = BASE64_URL_BARE.encode(header.to_string());
    let encoded = if detached { String::new() } else { BASE64_URL_BARE.encode(payload) };
    let mut signed = format!("{header}.{encoded}").into_bytes();
    if detached {
        signed.extend_from_slice(payload);
    }
    let signature = match pair {
        Some(pair) => pair.sign(&signed)?,
        None => mac(Hash::Sha256, secret.expose(), |take| {
            take(&signed);
            Ok(())
        })?,
    };
    Ok(format!("{header}.{encoded}.{}", BASE64_URL_BARE.encode(signature)))
}

/// A private key.
enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Pair {
    fn read(der: &[u8]) -> Option<Self> {
        let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok();
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
        let rsa = RsaKeyPair::from_pkcs8(der).ok().map(|pair| Self::Rsa(Box::new(pair)));
        rsa.or_else(|| p256().map(|pair| Self::P256(Box::new(pair))))
            .or_else(|| ed25519().map(|pair| Self::Ed25519(Box::new(pair))))
    }

    fn algorithm(&self) -> JwsAlgorithm {
        match self {
            Self::Rsa(_) => JwsAlgorithm::Rs256,
            Self::P256(_) => JwsAlgorithm::Es256,
            Self::Ed25519(_) => JwsAlgorithm::EdDsa,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| SignFault::WrongKind)?;
                Ok(signature)
            }
            Self::P256(pair) => Ok(pair.sign(&random, message).map_err(|_| SignFault::WrongKind)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// The key's bytes, where the secret can be a private key at all.
fn pkcs8(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.expose_str()?;
    let bare: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    PKCS8.iter().any(|start| bare.starts_with(start)).then(|| BASE64.decode(bare).ok())?
}
