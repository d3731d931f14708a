//! How a source knows its sender: a signature over the request, or a token both sides share.
//!
//! Every key is tried against every signature offered, in constant time, and the answer never says which one was close.
//! A JSON Web Token will be the third way: one more variant here, one more file beside the others.

mod offered;
mod signed;
mod token;

pub use offered::{Encoding, SignatureForm};
pub(super) use signed::mac;
pub use signed::{Accepted, Algorithm, BodyVariant, Hash, Scheme};
pub use token::{Token, URL_SECRET_LENGTH};

use super::{
    key::Key,
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
}

impl Verifier {
    /// The places where the credential may stand.
    fn places(&self) -> &[Place] {
        match self {
            Self::Signed(scheme) => &scheme.at,
            Self::Token(token) => &token.at,
        }
    }

    fn missing(&self) -> Refused {
        match self {
            Self::Signed(_) => Refused::CredentialsMissing,
            Self::Token(_) => Refused::TokenMissing,
        }
    }

    /// Fails early, before the body is read, where the credential stands in the head and is not there.
    pub(super) fn require(&self, request: &Request<'_>) -> Result<(), Refused> {
        if self.places().iter().any(Place::in_body) {
            return Ok(());
        }
        self.offered(&Reading::of(request)).map(drop)
    }

    /// The credential's text.
    pub(super) fn offered<'r>(&self, reading: &Reading<'r>) -> Result<std::borrow::Cow<'r, str>, Refused> {
        match first(self.places(), reading) {
            Ok(Some((_, text))) => Ok(text),
            Ok(None) => Err(self.missing()),
            Err(Refused::PartWrong { place, why }) => Err(Refused::malformed(format!("{place}: {why}"))),
            Err(other) => Err(other),
        }
    }

    /// Whether the credential covers what stands at `place`.
    pub(super) fn covers(&self, place: &Place) -> bool {
        match self {
            Self::Signed(scheme) => scheme.covers(place),
            Self::Token(_) => false,
        }
    }

    /// Whether the credential covers the whole body.
    pub(super) fn covers_body(&self) -> bool {
        match self {
            Self::Signed(scheme) => scheme.signed.signs_body(),
            Self::Token(_) => false,
        }
    }

    /// Checks the request against the keys.
    pub(super) fn verify(&self, request: &Request<'_>, keys: &[Key]) -> Result<Authentic, Refused> {
        let reading = Reading::of(request);
        let offered = self.offered(&reading)?;
        match self {
            Self::Signed(scheme) => scheme.verify(&reading, &offered, keys),
            Self::Token(token) => token.verify(&offered, keys),
        }
    }
}
