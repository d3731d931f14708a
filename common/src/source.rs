//! Sources: who may send, how a request is authenticated, what identifies an event, its type, what the sender is told.
//!
//! ```text
//! require_credentials -> (body) -> tenant_hint -> authenticate -> handshake? -> identify -> reply
//! ```
//! A source is built once from a [`Profile`] and its keys and never changes; a reload builds a new one. Nothing here
//! talks to a network, a database or a broker.

mod build;
mod certificate;
mod certificates;
mod fault;
mod forward;
mod handshake;
mod headers;
mod identify;
mod jwk;
mod jwks;
mod key;
mod key_api;
mod limits;
mod lookups;
mod needs;
mod path;
mod php_json;
mod place;
mod pointer;
pub mod preset;
mod profile;
mod public_url;
mod reading;
mod redact;
mod refused;
mod reply;
mod request;
pub mod sample;
mod settings;
pub mod sign;
mod split;
mod template;
mod time;
mod verify;

use std::{sync::Arc, time::Duration};

use hyper::{Method, header::HeaderValue};
use ipnet::IpNet;

pub use self::{
    certificate::{Certificate, CertificateFault, RsaDigest},
    certificates::Certificates,
    fault::SourceFault,
    forward::{Destination, Forward, ForwardFault},
    handshake::{Answer, Handshake, HandshakeRule, KnownBy},
    headers::{kept_headers, may_keep},
    identify::{Check, KEY_LIMIT, KeyAt, KindRule, NAME_LIMIT, Naming, Shape, is_email},
    jwk::{JwksFault, PublicKey},
    jwks::{COOL_DOWN, Due, KeyServer, REFRESH, SET_LIMIT},
    key::{Key, KeyFault, KeyForm, Keys},
    key_api::{KeyApi, KeyApiFault},
    limits::{ContentTypes, DEFAULT_BODY_LIMIT, OnConflict},
    lookups::{Found, Lookups, NAMES_LIMIT},
    path::{PathFault, PathPattern},
    place::{Place, VALUE_LIMIT},
    pointer::{DEPTH_LIMIT, Pointer},
    profile::Profile,
    public_url::UrlForm,
    refused::Refused,
    reply::{JSON, Reply, ReplyBody},
    request::{Authentic, Identity, Request},
    settings::{from_settings, is_reserved},
    split::{EVENT_LIMIT, Split},
    template::{Piece, Template, TemplateFault},
    time::{FUTURE_LIMIT, Freshness, TimeAt, TimeForm},
    verify::{
        Accepted, Algorithm, BodyVariant, Certified, CertifiedForm, Each, Encoding, Hash, Jws, JwsAlgorithm, JwsAt,
        JwsPayload, Origin, OriginFault, Origins, Scheme, SignatureForm, Subscription, Token, URL_SECRET_LENGTH,
        Verifier,
    },
};
use self::{reading::Reading, sample::Draft};
use crate::{
    secret::Secret,
    settings::{Rate, RateLimit},
};

/// What the ledger calls the source, and the preset, of the mails that the house sends.
pub const MAIL: &str = "mail";

/// A source, immutable and cheap to clone.
#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    profile: Profile,
    keys: Keys,
}

impl Source {
    /// Its configured name.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The preset it is made from.
    pub fn preset(&self) -> &Arc<str> {
        &self.0.profile.preset
    }

    /// The whole record.
    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Where it listens.
    pub fn path(&self) -> &PathPattern {
        &self.0.profile.path
    }

    /// The methods it answers.
    pub fn methods(&self) -> &[Method] {
        &self.0.profile.methods
    }

    /// Whether it takes this `Content-Type`.
    pub fn accepts_content_type(&self, content_type: Option<&HeaderValue>) -> bool {
        self.0.profile.content_types.accept(content_type)
    }

    /// The content types it takes, for a sender whose own was refused.
    pub fn content_types(&self) -> &ContentTypes {
        &self.0.profile.content_types
    }

    /// Largest body, in bytes.
    pub fn max_body(&self) -> usize {
        self.0.profile.max_body
    }

    /// Addresses it may come from; empty for any.
    pub fn allow(&self) -> &[IpNet] {
        &self.0.profile.allow
    }

    /// How many requests it may make; `None` for any number.
    pub fn rate_limit(&self) -> Option<&Rate> {
        match &self.0.profile.rate_limit {
            RateLimit::On(rate) => Some(rate),
            RateLimit::Off => None,
        }
    }

    /// How many requests one client's address may make of it; `None` for any number.
    pub fn client_rate_limit(&self) -> Option<&Rate> {
        match &self.0.profile.client_rate_limit {
            RateLimit::On(rate) => Some(rate),
            RateLimit::Off => None,
        }
    }

    /// The pages that may call it from browsers; `None` for a source that is not called from browsers.
    pub fn origins(&self) -> Option<&Origins> {
        match &self.0.profile.verifier {
            Verifier::Origin(origins) => Some(origins),
            Verifier::Signed(_) | Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Any(_) => {
                None
            }
        }
    }

    /// What a second body under a known key means.
    pub fn on_conflict(&self) -> OnConflict {
        self.0.profile.on_conflict
    }

    /// How long the answer waits for the outcome unless the sender asks for another bound.
    pub fn wait(&self) -> Option<Duration> {
        self.0.profile.wait
    }

    /// The event types its sender documents: the closed set for metrics' labels; others are `other`.
    pub fn known_kinds(&self) -> &'static [&'static str] {
        self.0.profile.naming.kind.known
    }

    /// Where its keys come from.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Decodes one of a tenant's secrets, for sources whose keys are looked up.
    pub fn read_key(&self, secret: &Secret) -> Result<Key, KeyFault> {
        build::read_key(&self.0.profile, secret)
    }

    /// Fails before the body is read where no credential was sent at all; the body may be empty here.
    pub fn require_credentials(&self, request: &Request<'_>) -> Result<(), Refused> {
        self.0.profile.verifier.require(request).map_err(|refused| self.worded(refused))
    }

    /// Whose request this claims to be, where keys are looked up by tenant. Nothing is authentic yet.
    pub fn tenant_hint(&self, request: &Request<'_>) -> Result<Option<Arc<str>>, Refused> {
        self.require_credentials(request)?;
        let naming = &self.0.profile.naming;
        match self.0.keys {
            Keys::ByTenant => Reading::picking(request, request.body, naming.tenant.iter(), true)
                .and_then(|reading| naming.tenant(&reading))
                .map_err(|refused| self.worded(refused)),
            Keys::Fixed(_) => Ok(None),
        }
    }

    /// Checks a request's credential against keys.
    pub fn authenticate(&self, request: &Request<'_>, keys: &[Key]) -> Result<Authentic, Refused> {
        self.0.profile.verifier.verify(request, keys).map_err(|refused| self.worded(refused))
    }

    /// The answer, if an authentic request is a challenge, a test or a ping and no event.
    pub fn handshake(&self, request: &Request<'_>) -> Option<Handshake> {
        handshake::of_sender(&self.0.profile, &self.0.keys, request)
    }

    /// The answer, if a request is a challenge or a probe that its sender does not sign. Only its head is looked at, and
    /// a token in it, where the handshake needs one.
    pub fn greeting(&self, request: &Request<'_>) -> Option<Result<Handshake, Refused>> {
        handshake::greeting(&self.0.profile, &self.0.keys, request)
    }

    /// Whether requests of this method may be handshakes, though they are no events.
    pub fn greets(&self, method: &Method) -> bool {
        self.0.profile.handshakes.iter().any(|rule| rule.method == method)
    }

    /// The whole address that the sender was given, where the settings name one for this source alone.
    pub fn public_url(&self) -> Option<&str> {
        self.0.profile.public_url.as_deref()
    }

    /// Names the events of an authentic request: all of them or none. Their bodies are [`Source::redacted`].
    pub fn identify(&self, request: &Request<'_>) -> Result<Vec<Identity>, Refused> {
        let Profile { naming, verifier, .. } = &self.0.profile;
        let mut events = naming.identify(request, verifier).map_err(|refused| self.worded(refused))?;
        events.iter_mut().for_each(|event| event.body = self.redacted(&event.body));
        Ok(events)
    }

    /// Where the nth event of a request stands in its body, as a JSON pointer.
    pub fn pointer_of(&self, nth: usize) -> String {
        self.0.profile.naming.split.as_ref().map_or_else(|| format!("event {nth}"), |split| split.place(nth))
    }

    /// A body without the secrets that its sender puts into it: what may be stored.
    pub fn redacted(&self, body: &bytes::Bytes) -> bytes::Bytes {
        redact::redacted(body, self.0.profile.redact)
    }

    /// What an accepted request is answered.
    pub fn reply(&self) -> &Reply {
        &self.0.profile.reply
    }

    /// Where accepted events are forwarded, if they are. A source that forwards has no other handler.
    pub fn forward(&self) -> Option<&Forward> {
        self.0.profile.forward.as_ref()
    }

    /// A body such as its real sender's, for `lychgate send` and for tests.
    pub fn sample(&self, draft: &Draft<'_>) -> bytes::Bytes {
        sample::body(self.preset(), draft)
    }

    /// Whether the signing time stands inside the body, so that no two deliveries of one event have equal bodies.
    pub fn dates_its_bodies(&self) -> bool {
        match &self.0.profile.verifier {
            Verifier::Signed(scheme) => scheme.dates_bodies(),
            // Canvas signs a body's time with it, and may sign it anew; but that is no part of what identifies the event.
            // SNS repeats a message with the time of the first.
            Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Origin(_) | Verifier::Any(_) => {
                false
            }
        }
    }

    fn worded(&self, refused: Refused) -> Refused {
        if self.0.profile.terse { refused.tersely() } else { refused }
    }
}

#[cfg(test)]
mod tests;
