//! Signatures: HMAC of any header, layout, encoding and signed string; Ed25519; ECDSA on P-256.
//!
//! Computed over the raw bytes as they arrived, before anything is parsed. SHA-1 is there for senders that know nothing
//! better (Twilio, Intercom) and is never a default.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{
    super::{
        key::{Key, Material},
        php_json,
        place::{Place, first},
        reading::Reading,
        refused::Refused,
        request::{Authentic, Request},
        split::Split,
        template::{Piece, Template},
        time::{Freshness, TimeAt},
    },
    offered::{Encoding, Parts, SignatureForm},
};

/// The hash inside an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1: still sound inside an HMAC, but only by explicit choice.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// What made a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A shared secret.
    Hmac(Hash),
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER.
    EcdsaP256,
}

/// A kind of signature that the source takes: its label among pairs (`v1`), none where the value is a single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The label.
    pub label: Option<Cow<'static, str>>,
    /// What makes it.
    pub algorithm: Algorithm,
}

/// A second spelling of the body that a sender may have signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyVariant {
    /// Only the raw bytes count.
    Raw,
    /// The raw bytes, else the same JSON as PHP's `json_encode` writes it (Systeme.io's documentation).
    PhpJson,
}

/// A whole scheme.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheme {
    /// Where the signature stands: the first of these that holds something.
    pub at: Vec<Place>,
    /// How its value is laid out.
    pub form: SignatureForm,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// The kinds that count.
    pub accepted: Vec<Accepted>,
    /// What is signed.
    pub signed: Template,
    /// Other strings that the same sender may have signed instead.
    pub or_signed: Vec<Template>,
    /// Every event of the body is signed by itself; `at` is the first one's signature, and says that there is one.
    pub each: Option<Each>,
    /// Another spelling of the body to try.
    pub variant: BodyVariant,
    /// Where `{id}` stands.
    pub id: Vec<Place>,
    /// Where `{ts}` stands and how fresh it must be; `None` where the sender signs no time.
    pub fresh: Option<Freshness>,
}

/// Where the events and their signatures stand, when each event is signed by itself (Adyen).
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    /// The events.
    pub split: Split,
    /// The signature within an event; `signed` is read within it, too.
    pub signature: Place,
}

impl Scheme {
    /// Whether the timestamp that must be fresh is a field of the body.
    pub(crate) fn dates_bodies(&self) -> bool {
        match self.fresh.as_ref().map(|fresh| &fresh.at) {
            Some(TimeAt::Places(places)) => places.iter().any(|place| matches!(place, Place::Field(_))),
            Some(TimeAt::Pair(_)) | None => false,
        }
    }

    pub(super) fn covers(&self, place: &Place) -> bool {
        let time = self.fresh.as_ref().is_some_and(|fresh| match &fresh.at {
            TimeAt::Places(places) => places.contains(place),
            TimeAt::Pair(_) => false,
        });
        self.signed.covers(place)
            || (self.signed.uses(&Piece::Id) && self.id.contains(place))
            || (self.signed.uses(&Piece::Time) && time)
    }

    pub(super) fn verify(&self, reading: &Reading<'_>, offered: &str, keys: &[Key]) -> Result<Authentic, Refused> {
        let Some(Each { split, signature }) = &self.each else { return self.verify_one(reading, offered, keys) };
        let mut first = None;
        for body in split.events(reading.body())?.unwrap_or_default() {
            let request = Request { body: &body, ..*reading.request() };
            let event = Reading::of(&request);
            let offered = needed(std::slice::from_ref(signature), &event)?;
            let authentic = self.verify_one(&event, &offered, keys)?;
            first = first.or(Some(authentic));
        }
        // A list without events has no signature, and never comes here; nobody could vouch for it.
        first.ok_or(Refused::CredentialsMissing)
    }

    fn verify_one(&self, reading: &Reading<'_>, offered: &str, keys: &[Key]) -> Result<Authentic, Refused> {
        let parts = self.form.split(offered)?;
        let time = self.time(reading, &parts)?;
        let id = self.id(reading)?;
        let signatures = parts.signatures(self.encoding, |label| {
            self.accepted.iter().find(|accepted| accepted.label.as_deref() == label).map(|found| found.algorithm)
        })?;
        let mut verified = self.matching(reading, time.as_deref(), id.as_deref(), &signatures, keys)?;
        if verified.is_none()
            && self.variant == BodyVariant::PhpJson
            && let Some(body) = php_json::normalised(reading.body())
        {
            let body = body.into();
            let request = Request { body: &body, ..*reading.request() };
            verified = self.matching(&Reading::of(&request), time.as_deref(), id.as_deref(), &signatures, keys)?;
        }
        let label = verified.ok_or(Refused::SignatureWrong)?;
        if let (Some(fresh), Some(time)) = (&self.fresh, &time) {
            fresh.check(time, reading.request().received_at)?;
        }
        Ok(Authentic { secret: label, payload: None })
    }

    /// The label of the key that made one of the signatures. All keys and signatures are tried, whatever is found.
    fn matching(
        &self,
        reading: &Reading<'_>,
        time: Option<&str>,
        id: Option<&str>,
        signatures: &[(Algorithm, Vec<u8>)],
        keys: &[Key],
    ) -> Result<Option<String>, Refused> {
        let mut verified = None;
        for key in keys {
            for Accepted { algorithm, .. } in &self.accepted {
                let rivals =
                    signatures.iter().filter(|(made_by, _)| made_by == algorithm).map(|(_, bytes)| bytes.as_slice());
                for template in std::iter::once(&self.signed).chain(&self.or_signed) {
                    let render = |take: &mut dyn FnMut(&[u8])| template.render(reading, time, id, take);
                    let good = made(*algorithm, key.material(), rivals.clone(), render)?;
                    if good && verified.is_none() {
                        verified = Some(key.label().to_owned());
                    }
                }
            }
        }
        Ok(verified)
    }

    fn time<'r>(&self, reading: &Reading<'r>, parts: &Parts<'r>) -> Result<Option<Cow<'r, str>>, Refused> {
        match self.fresh.as_ref().map(|fresh| &fresh.at) {
            None => Ok(None),
            Some(TimeAt::Pair(label)) => parts.one(label).map(|text| Some(Cow::Owned(text.to_owned()))),
            Some(TimeAt::Places(places)) => needed(places, reading).map(Some),
        }
    }

    fn id<'r>(&self, reading: &Reading<'r>) -> Result<Option<Cow<'r, str>>, Refused> {
        if !self.signed.uses(&Piece::Id) {
            return Ok(None);
        }
        let id = needed(&self.id, reading)?;
        if self.signed.uses(&Piece::text(".")) && id.contains('.') {
            return Err(Refused::malformed("the message id must not contain `.`"));
        }
        Ok(Some(id))
    }
}

/// Whether the key made one of these signatures of what `render` gives.
fn made<'s>(
    algorithm: Algorithm,
    key: &Material,
    mut rivals: impl Iterator<Item = &'s [u8]>,
    render: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Refused>,
) -> Result<bool, Refused> {
    Ok(match (algorithm, key) {
        (Algorithm::Hmac(hash), Material::Shared(secret)) => {
            let expected = mac(hash, secret.expose(), render)?;
            rivals.fold(false, |good, bytes| good | bool::from(expected.ct_eq(bytes)))
        }
        (Algorithm::Ed25519, Material::Ed25519(public)) => {
            let public = UnparsedPublicKey::new(&ED25519, public);
            let message = whole(render)?;
            rivals.any(|bytes| public.verify(&message, bytes).is_ok())
        }
        (Algorithm::EcdsaP256, Material::P256(point)) => {
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
            let message = whole(render)?;
            rivals.any(|bytes| public.verify(&message, bytes).is_ok())
        }
        (Algorithm::Hmac(_) | Algorithm::Ed25519 | Algorithm::EcdsaP256, _) => false,
    })
}

/// What stands at one of `places`, which the signature cannot be checked without.
fn needed<'r>(places: &[Place], reading: &Reading<'r>) -> Result<Cow<'r, str>, Refused> {
    let absent = || Refused::malformed(places.first().map_or_else(String::new, |place| format!("{place} is missing")));
    match first(places, reading) {
        Ok(found) => found.map(|(_, text)| text).ok_or_else(absent),
        Err(Refused::PartWrong { place, why }) => Err(Refused::malformed(format!("{place}: {why}"))),
        Err(other) => Err(other),
    }
}

/// The HMAC of what `render` gives.
pub(in super::super) fn mac(
    hash: Hash,
    secret: &[u8],
    render: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Refused>,
) -> Result<Vec<u8>, Refused> {
    fn fill<M: Mac + KeyInit>(
        secret: &[u8],
        render: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Refused>,
    ) -> Result<Vec<u8>, Refused> {
        // HMAC takes a key of any length (RFC 2104), so this cannot fail.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return Err(Refused::SignatureWrong) };
        render(&mut |piece| mac.update(piece))?;
        Ok(mac.finalize().into_bytes().to_vec())
    }
    match hash {
        Hash::Sha1 => fill::<Hmac<Sha1>>(secret, render),
        Hash::Sha256 => fill::<Hmac<Sha256>>(secret, render),
        Hash::Sha512 => fill::<Hmac<Sha512>>(secret, render),
    }
}

fn whole(render: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Refused>) -> Result<Vec<u8>, Refused> {
    let mut message = Vec::new();
    render(&mut |piece| message.extend_from_slice(piece))?;
    Ok(message)
}
