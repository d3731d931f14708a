//! JSON Web Signatures, compact (RFC 7515, RFC 7519): a bearer token, or a body that is nothing but a token.
//!
//! Algorithms come from the settings and never from the token; a key serves one algorithm; `none` does not exist here,
//! and neither do extensions that a token calls critical. Claims are looked at only once the signature is good.

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        jwk::PublicKey,
        jwks::KeyServer,
        key::{BASE64_URL_BARE, Key},
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
    /// The algorithms that count.
    pub algorithms: Vec<JwsAlgorithm>,
    /// Who may have issued it (`iss`); empty for anybody who has the key.
    pub issuers: Vec<String>,
    /// Whom it must be for (`aud`). Empty: this source has no name, and takes only tokens that are for nobody in particular
    /// (RFC 7519, 4.1.3).
    pub audiences: Vec<String>,
    /// A token without `exp` is refused.
    pub expires: bool,
    /// How old `iat` may be, where the token has one.
    pub max_age: Option<Duration>,
    /// How far two clocks may disagree.
    pub leeway: Duration,
    /// Public keys from the settings.
    pub keys: Arc<[PublicKey]>,
    /// Where further public keys are published.
    pub server: Option<KeyServer>,
}

/// What a token says about itself before anybody has vouched for it.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
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
            algorithms: vec![JwsAlgorithm::Hs256],
            issuers: Vec::new(),
            audiences: Vec::new(),
            expires: true,
            max_age: None,
            leeway: Self::LEEWAY,
            keys: [].into(),
            server: None,
        }
    }

    /// Whether it has public keys, or knows where to get them.
    pub fn has_public_keys(&self) -> bool {
        !self.keys.is_empty() || self.server.is_some()
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

    pub(super) fn verify(&self, reading: &Reading<'_>, offered: &str, keys: &[Key]) -> Result<Authentic, Refused> {
        let token = Compact::read(offered)?;
        if token.header.crit.is_some() {
            return Err(Refused::token("it has critical extensions, which are not understood here"));
        }
        let named = |algorithm: &&JwsAlgorithm| algorithm.name() == token.header.alg;
        let Some(algorithm) = self.algorithms.iter().find(named).copied() else {
            return Err(Refused::token("its algorithm is not one that this source takes"));
        };
        let secret = match algorithm {
            // A public key is no secret: with one configured, no token may be "signed" with it as if it were.
            JwsAlgorithm::Hs256 if self.has_public_keys() => None,
            JwsAlgorithm::Hs256 => shared(&token, keys)?,
            JwsAlgorithm::Rs256 | JwsAlgorithm::Es256 | JwsAlgorithm::EdDsa => self.public(algorithm, &token)?,
        };
        let secret = secret.ok_or_else(|| Refused::token("no key of this source made its signature"))?;
        self.check(&token.payload, reading.request().received_at)?;
        let payload =
            matches!(self.at, JwsAt::Body).then(|| redact::blanked(&Bytes::from(token.payload), &Self::VOLATILE));
        Ok(Authentic { secret, payload })
    }

    fn public(&self, algorithm: JwsAlgorithm, token: &Compact<'_>) -> Result<Option<String>, Refused> {
        let published = self.server.as_ref().map(KeyServer::keys).unwrap_or_default();
        let kid = token.header.kid.as_deref();
        let mut candidates = self.keys.iter().chain(published.iter()).filter(|key| key.may_be(kid)).peekable();
        if candidates.peek().is_none() {
            return match &self.server {
                Some(server) if server.is_unreachable() => Err(Refused::KeysUnreachable),
                Some(_) => Err(Refused::token("its key is not among those that its issuer publishes")),
                None if self.keys.is_empty() => {
                    Err(Refused::token("this source has no keys for tokens: set `jwt.jwks`"))
                }
                None => Err(Refused::token("its key is not among those of this source")),
            };
        }
        let mut good = candidates.filter(|key| key.verifies(algorithm, token.signed.as_bytes(), &token.signature));
        Ok(good.next().map(PublicKey::label))
    }

    /// The registered claims (RFC 7519, 4.1).
    fn check(&self, payload: &[u8], received_at: Timestamp) -> Result<(), Refused> {
        let claims: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|_| Refused::token("its payload is no JSON object"))?;
        let time = |name: &'static str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_f64().map(Some).ok_or(Refused::token(format!("`{name}` must be a number of seconds")))
            }
        };
        let now = received_at.as_duration().as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        match time("exp")? {
            Some(exp) if now >= exp + leeway => return Err(Refused::token("it has expired")),
            None if self.expires => return Err(Refused::token("`exp` is missing: it must expire")),
            Some(_) | None => {}
        }
        if time("nbf")?.is_some_and(|nbf| nbf > now + leeway) {
            return Err(Refused::token("it is not valid yet; check the sender's clock"));
        }
        if let (Some(max_age), Some(iat)) = (self.max_age, time("iat")?)
            && now > iat + max_age.as_secs_f64() + leeway
        {
            return Err(Refused::token("it was issued too long ago"));
        }
        let among = |name: &str, allowed: &[String]| match claims.get(name) {
            _ if allowed.is_empty() => true,
            Some(Value::String(one)) => allowed.contains(one),
            Some(Value::Array(many)) => {
                many.iter().filter_map(Value::as_str).any(|one| allowed.iter().any(|it| it == one))
            }
            Some(_) | None => false,
        };
        if !among("iss", &self.issuers) {
            return Err(Refused::token("`iss` is not an issuer that this source takes"));
        }
        if !among("aud", &self.audiences) {
            return Err(Refused::token("`aud` does not name this source"));
        }
        if self.audiences.is_empty() && claims.get("aud").is_some_and(|aud| !aud.is_null()) {
            return Err(Refused::token("`aud` says whom it is for, and this source has no name: set `jwt.audience`"));
        }
        Ok(())
    }
}

/// All secrets are tried, whatever is found.
fn shared(token: &Compact<'_>, keys: &[Key]) -> Result<Option<String>, Refused> {
    let mut verified = None;
    for (key, secret) in keys.iter().filter_map(|key| Some((key, key.shared()?))) {
        let expected = mac(Hash::Sha256, secret.expose(), |take| {
            take(token.signed.as_bytes());
            Ok(())
        })?;
        if crate::secret::Secret::new(expected).matches(&token.signature) && verified.is_none() {
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
