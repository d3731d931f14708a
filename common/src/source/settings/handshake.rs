//! `[[source.handshake]]`: requests of a sender of one's own that are answered on the spot; `verify_token` and
//! `public_url`, which presets use, too.
//!
//! ```toml
//! [[source.handshake]]
//! method = "GET"
//! when = "query:mode"
//! equals = "subscribe"
//! verify = "query:token"
//! echo = "query:challenge"
//! ```

use std::borrow::Cow;

use hyper::{Method, StatusCode};
use url::Url;

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        place::Place,
        profile::Profile,
    },
    places::the_place,
};
use crate::settings::{Faults, Reader};

/// The least length of a verify token, in characters: nothing else stands between a stranger and an echo.
const TOKEN_LENGTH: usize = 8;

const METHODS: [(&str, &Method); 6] = [
    ("POST", &Method::POST),
    ("GET", &Method::GET),
    ("HEAD", &Method::HEAD),
    ("OPTIONS", &Method::OPTIONS),
    ("PUT", &Method::PUT),
    ("PATCH", &Method::PATCH),
];

/// Reads all three; what is written here is looked at after the preset's own handshakes.
pub(super) fn handshakes(reader: &mut Reader<'_>, profile: &mut Profile) {
    let mut faults = Faults::new();
    for section in reader.sections("handshake") {
        let mut inner = section.reader(&mut faults);
        profile.handshakes.extend(rule(&mut inner));
        inner.finish();
    }
    reader.absorb(faults);
    let used = |rule: &HandshakeRule| matches!(rule.known_by, KnownBy::VerifyToken(_));
    let used = profile.handshakes.iter().any(used);
    let written = reader.has("verify_token");
    profile.verify_tokens = reader.secrets("verify_token").unwrap_or_default();
    if written && !used {
        reader.fault("verify_token", "is not used: no handshake of this source shows one");
    }
    if profile.verify_tokens.iter().any(|token| token.expose().len() < TOKEN_LENGTH) {
        reader.fault("verify_token", format!("must have at least {TOKEN_LENGTH} characters"));
    }
    if let Some(url) = public_url(reader, profile) {
        profile.public_url = Some(url.into());
    }
}

fn rule(reader: &mut Reader<'_>) -> Option<HandshakeRule> {
    let method = reader.one_of("method", &METHODS);
    let (when, equals) = (the_place(reader, "when"), reader.text("equals"));
    let (verify, unless) = (the_place(reader, "verify"), the_place(reader, "unless"));
    let open = reader.flag("open");
    let answer = answer(reader);
    if reader.has("method") && method.is_none() {
        return None;
    }
    let method = method.cloned().unwrap_or(Method::POST);
    if when.is_none() && equals.is_some() {
        reader.fault("when", "is missing: `equals` says what must stand there");
    }
    if when.is_none() && method == Method::POST {
        reader.fault("when", "is missing: every event would be taken for a handshake");
    }
    let known_by = match (verify, open.unwrap_or(method != Method::POST)) {
        (Some(place), _) => KnownBy::VerifyToken(place),
        (None, true) => KnownBy::Anybody,
        (None, false) => KnownBy::Sender,
    };
    if when.as_ref().is_some_and(Place::in_body) && known_by != KnownBy::Sender {
        reader.fault("when", "stands in the body, which is not read before the sender is known");
    }
    let when = when.map(|place| (place, equals.map(Cow::Owned)));
    Some(HandshakeRule { name: "handshake", method, when, unless, known_by, answer: answer? })
}

/// `echo`, or `status` and `body`.
fn answer(reader: &mut Reader<'_>) -> Option<Answer> {
    let fixed = reader.has("status") || reader.has("body");
    let status = reader.number("status", 200..=299).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let body = reader.text("body").unwrap_or_default();
    match the_place(reader, "echo") {
        Some(_) if fixed => {
            reader.fault("echo", "stands beside `status` or `body`: a handshake has one answer");
            None
        }
        Some(place) => Some(Answer::Echo(place)),
        None => Some(Answer::Fixed(status, Cow::Owned(body))),
    }
}

/// The address as it was given to the sender, kept as written: some senders sign it to the letter.
fn public_url(reader: &mut Reader<'_>, profile: &Profile) -> Option<String> {
    let text = reader.text("public_url")?;
    let good = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.fragment().is_none());
    if !good {
        reader.fault("public_url", "must be the whole https URL that the sender was given");
        return None;
    }
    if profile.path.params().next().is_some() {
        let path = &profile.path;
        reader.fault("public_url", format!("is one address, and {path} stands for many: set `gateway.public_url`"));
        return None;
    }
    Some(text)
}
