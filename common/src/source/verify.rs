//! How a source knows its sender: a signature over the request, a token both sides share, a JSON Web Token, whichever of
//! several that was sent, a signature whose key is in a certificate, or the page that a browser calls from.
//!
//! Every key is tried against every signature offered, in constant time, and the answer never says which one was close.

mod certified;
mod jws;
mod layouts;
mod offered;
mod origin;
mod signed;
mod token;

use std::borrow::Cow;

pub use certified::{Certified, CertifiedForm, Subscription};
pub use jws::{Jws, JwsAlgorithm, JwsAt, JwsPayload};
pub use offered::{Encoding, SignatureForm};
pub use origin::{Origin, OriginFault, Origins};
pub(super) use signed::mac;
pub use signed::{Accepted, Algorithm, BodyVariant, Each, Hash, Scheme};
pub use token::{Token, URL_SECRET_LENGTH};

use super::{
    jwks::{Due, KeyServer},
    key::{Key, KeyFault},
    key_api::KeyApi,
    place::{Place, first},
    reading::Reading,
    refused::Refused,
    request::{Authentic, Request},
};

/// The way of one source.
#[derive(Clone, Debug, PartialEq)]
pub enum Verifier {
    /// A signature made with a key.
    Signed(Scheme),
    /// A token sent as it is.
    Token(Token),
    /// A JSON Web Token.
    Jws(Jws),
    /// A signature whose key is in a certificate that the request points at. Never one way of several.
    Certified(Certified),
    /// A page on a list, called from a browser. Never one way of several.
    Origin(Origins),
    /// The first of these whose credential is there; only that one decides. Not nested.
    Any(Vec<Self>),
}

impl Verifier {
    /// The ways it knows: itself, or several.
    pub fn ways(&self) -> &[Self] {
        match self {
            Self::Signed(_) | Self::Token(_) | Self::Jws(_) | Self::Certified(_) | Self::Origin(_) => {
                std::slice::from_ref(self)
            }
            Self::Any(ways) => ways,
        }
    }

    /// Its judge of JSON Web Tokens, where it has one.
    pub fn jws(&self) -> Option<&Jws> {
        self.ways().iter().find_map(|way| match way {
            Self::Jws(jws) => Some(jws),
            Self::Signed(_) | Self::Token(_) | Self::Certified(_) | Self::Origin(_) | Self::Any(_) => None,
        })
    }

    /// Whether what signs for this source is not among its own keys: they are public halves, or a certificate's.
    pub fn needs_private_key(&self, keys: &[Key]) -> bool {
        !matches!(self, Self::Origin(_)) && keys.iter().all(|key| key.shared().is_none())
    }

    /// Whether nothing but a sender's public key ever verifies a request: no secret is of use then.
    pub(super) fn takes_no_secret(&self) -> bool {
        let vouching = |jws: &Jws| jws.payload != JwsPayload::Claims && !jws.algorithms.contains(&JwsAlgorithm::Hs256);
        self.certified().is_some() || matches!(self, Self::Jws(jws) if vouching(jws))
    }

    /// Its judge of certified signatures, if that is its way.
    pub fn certified(&self) -> Option<&Certified> {
        match self {
            Self::Certified(certified) => Some(certified),
            Self::Signed(_) | Self::Token(_) | Self::Jws(_) | Self::Origin(_) | Self::Any(_) => None,
        }
    }

    /// Whether a key will do for this source.
    pub(super) fn admits(&self, key: &Key) -> Result<(), KeyFault> {
        self.ways().iter().try_for_each(|way| match way {
            Self::Token(token) if key.is_token() || !matches!(self, Self::Any(_)) => token.admits(key),
            Self::Token(_) | Self::Signed(_) | Self::Jws(_) | Self::Certified(_) | Self::Origin(_) | Self::Any(_) => {
                Ok(())
            }
        })
    }

    /// Whether it can verify something without a secret.
    pub(super) fn has_public_keys(&self) -> bool {
        self.certified().is_some() || self.jws().is_some_and(Jws::has_public_keys)
    }

    /// Whether the credential may stand in the body.
    fn may_stand_in_body(&self) -> bool {
        match self {
            Self::Signed(scheme) => scheme.at.iter().any(Place::in_body),
            Self::Token(token) => token.at.iter().any(Place::in_body),
            Self::Jws(jws) => match &jws.at {
                JwsAt::Body => true,
                JwsAt::Places(places) => places.iter().any(Place::in_body),
            },
            Self::Certified(certified) => certified.at().in_body(),
            Self::Origin(_) => false,
            Self::Any(ways) => ways.iter().any(Self::may_stand_in_body),
        }
    }

    fn missing(&self) -> Refused {
        match self {
            Self::Signed(_) | Self::Certified(_) => Refused::CredentialsMissing,
            Self::Token(_) => Refused::TokenMissing,
            Self::Jws(_) => Refused::JwtMissing,
            Self::Origin(_) => Refused::OriginMissing,
            Self::Any(ways) => ways.first().map_or(Refused::CredentialsMissing, Self::missing),
        }
    }

    /// Fails early, before the body is read, where the credential stands in the head and is not there.
    pub(super) fn require(&self, request: &Request<'_>) -> Result<(), Refused> {
        if self.may_stand_in_body() {
            return Ok(());
        }
        self.sent(&Reading::of(request)).map(drop)
    }

    /// The way whose credential was sent, and the credential's text.
    fn sent<'r>(&self, reading: &Reading<'r>) -> Result<(&Self, Cow<'r, str>), Refused> {
        for way in self.ways() {
            match way.offered(reading) {
                Ok(text) => return Ok((way, text)),
                Err(refused) if refused.is_absence() => {}
                // A body that cannot be read holds no credential; the others' places are still to be looked at.
                Err(refused) if !refused.is_authentication() && self.ways().len() > 1 => {}
                Err(refused) => return Err(refused),
            }
        }
        Err(self.missing())
    }

    fn offered<'r>(&self, reading: &Reading<'r>) -> Result<Cow<'r, str>, Refused> {
        let found = match self {
            Self::Signed(scheme) => first(&scheme.at, reading).map(|found| found.map(|(_, text)| text)),
            Self::Token(token) => first(&token.at, reading).map(|found| found.map(|(_, text)| text)),
            Self::Jws(jws) => jws.offered(reading),
            Self::Certified(certified) => certified.offered(reading),
            Self::Origin(_) => first(&origin::AT, reading).map(|found| found.map(|(_, text)| text)),
            Self::Any(_) => Ok(None),
        };
        match found {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(self.missing()),
            Err(Refused::PartWrong { place, why }) => Err(Refused::malformed(format!("{place}: {why}"))),
            Err(other) => Err(other),
        }
    }

    /// Whether the credential covers what stands at `place`, whichever was sent.
    pub(super) fn covers(&self, place: &Place) -> bool {
        match self {
            Self::Signed(scheme) => scheme.covers(place),
            Self::Token(_) | Self::Origin(_) => false,
            Self::Jws(jws) => jws.covers_body() && place.in_body(),
            Self::Certified(certified) => certified.covers(place),
            Self::Any(ways) => ways.iter().all(|way| way.covers(place)),
        }
    }

    /// Whether the credential covers the whole body, whichever was sent.
    pub(super) fn covers_body(&self) -> bool {
        match self {
            Self::Signed(scheme) => scheme.signed.signs_body(),
            Self::Token(_) | Self::Certified(_) | Self::Origin(_) => false,
            Self::Jws(jws) => jws.covers_body(),
            Self::Any(ways) => ways.iter().all(Self::covers_body),
        }
    }

    /// The key server to be asked before this request can be judged.
    pub(super) fn keys_due(&self, request: &Request<'_>, now: std::time::Instant) -> Option<(&KeyServer, Due)> {
        let server = self.jws()?.server.as_ref()?;
        let (Self::Jws(_), token) = self.sent(&Reading::of(request)).ok()? else { return None };
        server.due(Jws::names(&token).as_deref(), now).map(|due| (server, due))
    }

    /// The interface to be asked for a key before this request can be judged, and the key's id.
    pub(super) fn key_wanted(&self, request: &Request<'_>) -> Option<(&KeyApi, String)> {
        self.jws()?.api.as_ref()?;
        let (Self::Jws(jws), token) = self.sent(&Reading::of(request)).ok()? else { return None };
        jws.wants(&token)
    }

    /// What the token that was sent signs, but for its signature: what it is known again by.
    pub(super) fn token_signed(&self, reading: &Reading<'_>) -> Option<String> {
        let (Self::Jws(_), token) = self.sent(reading).ok()? else { return None };
        token.rsplit_once('.').map(|(signed, _)| signed.to_owned())
    }

    /// What a source of this way cannot do without, and has not: the setting, and why.
    pub(super) fn lacks(&self) -> Option<(&'static str, &'static str)> {
        self.certified().and_then(Certified::lacks).or_else(|| self.jws().and_then(Jws::lacks))
    }

    /// Checks the request against the keys.
    pub(super) fn verify(&self, request: &Request<'_>, keys: &[Key]) -> Result<Authentic, Refused> {
        let reading = Reading::of(request);
        let (way, offered) = self.sent(&reading)?;
        // Tokens apart from secrets, where the source has both.
        let (tokens, secrets): (Vec<Key>, Vec<Key>);
        let keys = if keys.iter().any(Key::is_token) {
            (tokens, secrets) = keys.iter().cloned().partition(Key::is_token);
            if matches!(way, Self::Token(_)) { &tokens } else { &secrets }
        } else {
            keys
        };
        match way {
            Self::Signed(scheme) => scheme.verify(&reading, &offered, keys),
            Self::Token(token) if token.in_url() && matches!(self, Self::Any(_)) => token.verify(&offered, long(keys)),
            Self::Token(token) => token.verify(&offered, keys),
            Self::Jws(jws) => jws.verify(&reading, &offered, keys),
            Self::Certified(certified) => certified.verify(&reading),
            Self::Origin(origins) => origins.verify(&offered),
            Self::Any(_) => Err(self.missing()),
        }
    }
}

/// Where secrets also serve as tokens in a URL, only if they are long enough to be the only lock.
fn long(keys: &[Key]) -> &[Key] {
    let enough = |key: &Key| key.shared().is_some_and(|secret| secret.expose().len() >= URL_SECRET_LENGTH);
    if keys.iter().all(enough) { keys } else { &[] }
}
