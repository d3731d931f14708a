//! JSON Web Signatures, compact (RFC 7515, RFC 7519): a bearer token, a body that is nothing but a token, or a token that
//! vouches for the body beside it.
//!
//! Algorithms come from the settings and never from the token; a key serves one algorithm; `none` does not exist here,
//! and neither do extensions that a token calls critical, but for the one of detached payloads. Claims are looked at only
//! once the signature is good.

mod claims;
mod payload;

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

pub use self::payload::JwsPayload;
use super::{
    super::{
        jwk::PublicKey,
        jwks::KeyServer,
        key::{BASE64_URL_BARE, Key},
        key_api::KeyApi,
        lookups::Found,
        place::{Place, first},
        reading::Reading,
        redact,
        refused::Refused,
        request::Authentic,
    },
    signed::{Hash, mac},
};

/// The signature algorithms that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// HMAC-SHA256 with a shared secret.
    Hs256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 bits or more.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwsAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];
    /// Those with a public key.
    pub const PUBLIC: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Its name in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Longest id of a key that is asked for, in bytes.
const KID_LIMIT: usize = 255;

/// Where the token stands.
#[derive(Clone, Debug, PartialEq)]
pub enum JwsAt {
    /// It is the whole body; its payload is then what the event is read from (Canvas).
    Body,
    /// The first of these that holds something.
    Places(Vec<Place>),
}

/// How a source's tokens are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Jws {
    /// Where the token stands.
    pub at: JwsAt,
    /// What the token says.
    pub payload: JwsPayload,
    /// The algorithms that count.
    pub algorithms: Vec<JwsAlgorithm>,
    /// Who may have issued it (`iss`); empty for anybody who has the key.
    pub issuers: Vec<String>,
    /// Whom it must be for (`aud`). Empty: this source has no name, and takes only tokens that are for nobody in particular
    /// (RFC 7519, 4.1.3).
    pub audiences: Vec<String>,
    /// A token without `exp` is refused.
    pub expires: bool,
    /// How old `iat` may be, where the token has one; one that vouches for the body by a digest must.
    pub max_age: Option<Duration>,
    /// How far two clocks may disagree.
    pub leeway: Duration,
    /// Public keys from the settings.
    pub keys: Arc<[PublicKey]>,
    /// Where further public keys are published.
    pub server: Option<KeyServer>,
    /// Where further public keys are handed out one by one.
    pub api: Option<KeyApi>,
}

/// What a token says about itself before anybody has vouched for it.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
    b64: Option<bool>,
}

/// A token, taken apart.
struct Compact<'t> {
    header: Header,
    signed: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Jws {
    /// The usual leeway of JWT libraries.
    pub const LEEWAY: Duration = Duration::from_secs(60);

    /// Claims that change when an event is signed anew; they are no part of it.
    pub const VOLATILE: [&str; 4] = ["iat", "exp", "nbf", "jti"];

    /// A bearer token that must expire, signed with a shared secret.
    pub fn bearer() -> Self {
        Self {
            at: JwsAt::Places(vec![Place::Bearer]),
            payload: JwsPayload::Claims,
            algorithms: vec![JwsAlgorithm::Hs256],
            issuers: Vec::new(),
            audiences: Vec::new(),
            expires: true,
            max_age: None,
            leeway: Self::LEEWAY,
            keys: [].into(),
            server: None,
            api: None,
        }
    }

    /// Whether it has public keys, or knows where to get them.
    pub fn has_public_keys(&self) -> bool {
        !self.keys.is_empty() || self.server.is_some() || self.api.is_some()
    }

    /// What a source of such tokens cannot do without, and has not: the setting, and why.
    pub(super) fn lacks(&self) -> Option<(&'static str, &'static str)> {
        if self.has_public_keys() || self.algorithms.contains(&JwsAlgorithm::Hs256) {
            return None;
        }
        match &self.payload {
            JwsPayload::Claims => None,
            JwsPayload::Detached => {
                Some(("jwt", "name the sender's keys: jwt = { jwks = \"https://SHOP/.well-known/jwks.json\" }"))
            }
            JwsPayload::Digest { .. } => Some((
                "key_api",
                "Plaid hands its keys out to those with credentials: key_api = { client_id = …, secret = … }",
            )),
        }
    }

    /// Whether the token vouches for the body.
    pub(super) fn covers_body(&self) -> bool {
        self.at == JwsAt::Body || self.payload != JwsPayload::Claims
    }

    pub(super) fn offered<'r>(&self, reading: &Reading<'r>) -> Result<Option<Cow<'r, str>>, Refused> {
        match &self.at {
            JwsAt::Places(places) => first(places, reading).map(|found| found.map(|(_, text)| text)),
            JwsAt::Body => Ok(looks_like_one(reading.body()).map(Cow::Borrowed)),
        }
    }

    /// The key that an unjudged token names: only good for asking a key server.
    pub(super) fn names(offered: &str) -> Option<String> {
        Compact::read(offered).ok()?.header.kid
    }

    /// The interface that must be asked for the key of an unjudged token, and the key's id.
    pub(super) fn wants(&self, offered: &str) -> Option<(&KeyApi, String)> {
        let (api, header) = (self.api.as_ref()?, Compact::read(offered).ok()?.header);
        let kid = header.kid.filter(|kid| kid.len() <= KID_LIMIT)?;
        self.algorithms.iter().any(|algorithm| algorithm.name() == header.alg).then_some((api, kid))
    }

    pub(super) fn verify(&self, reading: &Reading<'_>, offered: &str, keys: &[Key]) -> Result<Authentic, Refused> {
        let token = Compact::read(offered)?;
        self.payload.extensions(&token.header)?;
        let named = |algorithm: &&JwsAlgorithm| algorithm.name() == token.header.alg;
        let Some(algorithm) = self.algorithms.iter().find(named).copied() else {
            return Err(Refused::token("its algorithm is not one that this source takes"));
        };
        let signed = self.payload.signed(&token, reading.body())?;
        let secret = match algorithm {
            // A public key is no secret: with one configured, no token may be "signed" with it as if it were.
            JwsAlgorithm::Hs256 if self.has_public_keys() => None,
            JwsAlgorithm::Hs256 => shared(&signed, &token.signature, keys)?,
            JwsAlgorithm::Rs256 | JwsAlgorithm::Es256 | JwsAlgorithm::EdDsa => {
                self.public(algorithm, &signed, &token)?
            }
        };
        let secret = secret.ok_or_else(|| Refused::token("no key of this source made its signature"))?;
        if self.payload != JwsPayload::Detached {
            claims::check(self, &token.payload, reading)?;
        }
        let payload =
            matches!(self.at, JwsAt::Body).then(|| redact::blanked(&Bytes::from(token.payload), &Self::VOLATILE));
        Ok(Authentic { secret, payload })
    }

    fn public(&self, algorithm: JwsAlgorithm, signed: &[u8], token: &Compact<'_>) -> Result<Option<String>, Refused> {
        let kid = token.header.kid.as_deref();
        let published = self.server.as_ref().map(KeyServer::keys).unwrap_or_default();
        let handed_out = self.api.as_ref().zip(kid).map(|(api, kid)| api.key(kid));
        let one = match &handed_out {
            Some(Found::Good(key)) => Some(&**key),
            Some(Found::Useless | Found::Unreachable) | None => None,
        };
        let all = self.keys.iter().chain(published.iter()).chain(one);
        let mut candidates = all.filter(|key| key.may_be(kid)).peekable();
        if candidates.peek().is_none() {
            return Err(match (&self.server, &self.api) {
                (Some(server), _) if server.is_unreachable() => Refused::KeysUnreachable,
                (_, Some(_)) if kid.is_none() => Refused::token("it names no key (`kid`)"),
                (_, Some(_)) if matches!(handed_out, Some(Found::Unreachable)) => Refused::KeysUnreachable,
                (Some(_), _) | (_, Some(_)) => Refused::token("its key is not among those that its issuer publishes"),
                (None, None) if self.keys.is_empty() => {
                    Refused::token("this source has no keys for tokens: set `jwt.jwks`")
                }
                (None, None) => Refused::token("its key is not among those of this source"),
            });
        }
        let mut good = candidates.filter(|key| key.verifies(algorithm, signed, &token.signature));
        let found = good.next().map(PublicKey::label);
        if let (Some(_), Some(api), Some(kid)) = (&found, &self.api, kid) {
            api.proven(kid);
        }
        Ok(found)
    }
}

/// All secrets are tried, whatever is found.
fn shared(signed: &[u8], signature: &[u8], keys: &[Key]) -> Result<Option<String>, Refused> {
    let mut verified = None;
    for (key, secret) in keys.iter().filter_map(|key| Some((key, key.shared()?))) {
        let expected = mac(Hash::Sha256, secret.expose(), |take| {
            take(signed);
            Ok(())
        })?;
        if crate::secret::Secret::new(expected).matches(signature) && verified.is_none() {
            verified = Some(key.label().to_owned());
        }
    }
    Ok(verified)
}

/// The body, if it can be a token: three runs of base64url, and a header that begins as JSON does.
fn looks_like_one(body: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    (text.starts_with("eyJ") && dots == 2 && text.bytes().all(plain)).then_some(text)
}

impl<'t> Compact<'t> {
    fn read(text: &'t str) -> Result<Self, Refused> {
        let apart = || {
            let (signed, signature) = text.rsplit_once('.')?;
            let (header, payload) = signed.split_once('.')?;
            let decoded = |part: &str| BASE64_URL_BARE.decode(part).ok();
            let header = serde_json::from_slice(&decoded(header)?).ok()?;
            Some(Self { header, signed, payload: decoded(payload)?, signature: decoded(signature)? })
        };
        apart().ok_or(Refused::token("it is no compact JSON Web Token"))
    }
}
