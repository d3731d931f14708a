//! Requests that are answered on the spot and never become events: a provider's challenge, a probe, a test, a ping.
//!
//! An echo is an oracle and a way to script a browser: as plain text, limited in length, for authentic requests wherever
//! the sender can be authentic by then. Nothing is ever signed that could pass for a signed event.

mod answer;

use std::borrow::Cow;

use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};

pub use answer::Answer;

use super::{
    key::{Key, Keys},
    place::Place,
    profile::Profile,
    reading::Reading,
    refused::Refused,
    request::Request,
};

/// An answer for a request that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Its event type or name, for logs and metrics.
    pub name: &'static str,
    /// The gateway has authenticated the request, or a token in it, before it answers.
    pub authenticated: bool,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's content type. Send `X-Content-Type-Options: nosniff` with it.
    pub content_type: &'static str,
    /// Headers beside.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The answer's body.
    pub body: Bytes,
}

/// When a request is a handshake, and what it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeRule {
    /// Its name.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// What must stand where: a certain value, or anything where none is given. Nothing: every request of the method.
    pub when: Option<(Place, Option<Cow<'static, str>>)>,
    /// What must not be there.
    pub unless: Option<Place>,
    /// How its sender must be known.
    pub known_by: KnownBy,
    /// What is answered.
    pub answer: Answer,
}

/// How the sender of a handshake must be known before it is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum KnownBy {
    /// Like the sender of an event.
    Sender,
    /// One of the source's verify tokens stands there.
    VerifyToken(Place),
    /// One of the source's own secrets stands there.
    Secret(Place),
    /// Not at all: nothing that the answer says is of use to anybody else.
    Anybody,
}

impl HandshakeRule {
    /// A sender's test that is authenticated like an event, and known by a value.
    pub fn of_sender(name: &'static str, at: Place, equals: &'static str, answer: Answer) -> Self {
        Self {
            name,
            method: Method::POST,
            when: Some((at, Some(Cow::Borrowed(equals)))),
            unless: None,
            known_by: KnownBy::Sender,
            answer,
        }
    }

    /// A probe that wants nothing but success.
    pub fn probe(method: Method) -> Self {
        let answer = Answer::Fixed(StatusCode::OK, Cow::Borrowed(""));
        Self { name: "probe", method, when: None, unless: None, known_by: KnownBy::Anybody, answer }
    }

    /// A challenge in the query, to be echoed.
    pub fn challenge(name: &'static str, method: Method, parameter: &'static str, known_by: KnownBy) -> Self {
        let at = Place::Query(parameter.into());
        Self { name, method, when: Some((at.clone(), None)), unless: None, known_by, answer: Answer::Echo(at) }
    }

    fn is(&self, reading: &Reading<'_>) -> bool {
        let holds = |place: &Place| place.find(reading).ok().flatten();
        if *reading.request().method != self.method || self.unless.as_ref().is_some_and(|place| holds(place).is_some())
        {
            return false;
        }
        match &self.when {
            None => true,
            Some((place, None)) => holds(place).is_some(),
            Some((place, Some(value))) => holds(place).is_some_and(|found| same(place, &found, value)),
        }
    }
}

/// A content type is the same whatever its parameters say.
fn same(place: &Place, found: &str, value: &str) -> bool {
    match place {
        Place::Header(name) if name == CONTENT_TYPE => {
            found.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(value))
        }
        Place::Header(_) | Place::Query(_) | Place::Field(_) | Place::Path(_) | Place::Bearer => found == value,
    }
}

/// The answer to an authentic request, if it is a handshake.
pub(super) fn of_sender(profile: &Profile, keys: &Keys, request: &Request<'_>) -> Option<Handshake> {
    let reading = Reading::of(request);
    let from_sender = |rule: &&HandshakeRule| rule.known_by == KnownBy::Sender && rule.is(&reading);
    profile.handshakes.iter().filter(from_sender).find_map(|rule| {
        let fixed = fixed(keys);
        let signed_by = |key: &&Key| profile.verifier.verify(request, std::slice::from_ref(*key)).is_ok();
        rule.answer.give(rule.name, true, &reading, || fixed.iter().find(signed_by))
    })
}

/// The answer to a request of which only the head is known, if it is a handshake that is not signed.
pub(super) fn greeting(profile: &Profile, keys: &Keys, request: &Request<'_>) -> Option<Result<Handshake, Refused>> {
    let reading = Reading::of(request);
    let unsigned = |rule: &&HandshakeRule| rule.known_by != KnownBy::Sender && rule.is(&reading);
    let rule = profile.handshakes.iter().find(unsigned)?;
    let known = match &rule.known_by {
        KnownBy::Sender => return None,
        KnownBy::Anybody => Ok(false),
        KnownBy::VerifyToken(place) if profile.verify_tokens.is_empty() => {
            Err(Refused::VerifyTokenUnset { place: place.to_string() })
        }
        KnownBy::VerifyToken(place) => {
            let offered = place.find(&reading).ok().flatten().unwrap_or_default();
            // Every token is compared, whatever is found.
            let good = |known: bool, token: &crate::secret::Secret| known | token.matches(offered.as_bytes());
            profile.verify_tokens.iter().fold(false, good).then_some(true).ok_or(Refused::VerifyTokenWrong)
        }
        KnownBy::Secret(place) => {
            let offered = place.find(&reading).ok().flatten().unwrap_or_default();
            let good = |known: bool, key: &Key| known | key.shared().is_some_and(|it| it.matches(offered.as_bytes()));
            fixed(keys).iter().fold(false, good).then_some(true).ok_or(Refused::VerifyTokenWrong)
        }
    };
    let answered = known.and_then(|known| {
        let answer = rule.answer.give(rule.name, known, &reading, || fixed(keys).first());
        answer.ok_or(Refused::ChallengeUnfit { name: rule.name })
    });
    Some(answered)
}

fn fixed(keys: &Keys) -> &[Key] {
    match keys {
        Keys::Fixed(keys) => keys,
        Keys::ByTenant => &[],
    }
}
