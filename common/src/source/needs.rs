//! What a source needs from outside before it can judge a request, and what a judged one asks for. Only says so: the
//! gateway fetches.

use std::time::Instant;

use url::Url;

use super::{
    Source,
    certificates::Certificates,
    jwks::{Due, KeyServer},
    key_api::KeyApi,
    reading::Reading,
    request::Request,
    verify::Subscription,
};

impl Source {
    /// The key server that must be asked before this request can be judged, if one must.
    pub fn keys_due(&self, request: &Request<'_>, now: Instant) -> Option<(&KeyServer, Due)> {
        self.0.profile.verifier.keys_due(request, now)
    }

    /// The interface that must be asked for a key before this request can be judged, and the key's id, if it must.
    pub fn key_wanted(&self, request: &Request<'_>) -> Option<(&KeyApi, String)> {
        self.0.profile.verifier.key_wanted(request)
    }

    /// The certificate without which this request cannot be judged, where it is not known: its keeper, and its address.
    pub fn certificate_wanted(&self, request: &Request<'_>) -> Option<(&Certificates, Url)> {
        let certified = self.0.profile.verifier.certified()?;
        certified.wanted(&Reading::of(request)).map(|address| (&certified.certificates, address))
    }

    /// What an authentic request says about a subscription to a topic, if it does.
    pub fn subscription(&self, request: &Request<'_>) -> Option<Subscription> {
        self.0.profile.verifier.certified()?.subscription(&Reading::of(request))
    }
}
