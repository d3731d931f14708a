//! Requests that are answered on the spot and never become events: a provider's challenge, a test, a ping.
//!
//! An echo is an oracle and a way to script a browser: only for authentic requests, as plain text, limited in length, and
//! nothing is ever signed that could pass for a signed event.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::{
    key::{Key, Keys},
    place::Place,
    reading::Reading,
    reply::JSON,
    request::Request,
    verify::{Hash, Verifier, mac},
};

/// Longest challenge that is echoed, in bytes: three times the longest that a provider is known to send.
const CHALLENGE_LIMIT: usize = 1024;

/// An answer for a request that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Its event type or name, for logs and metrics.
    pub name: &'static str,
    /// The gateway must authenticate the request before it answers.
    pub authenticated: bool,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's content type. Send `X-Content-Type-Options: nosniff` with it.
    pub content_type: &'static str,
    /// The answer's body.
    pub body: Bytes,
}

/// When a request is a handshake, and what it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeRule {
    /// Its name.
    pub name: &'static str,
    /// What to look at.
    pub at: Place,
    /// What must stand there.
    pub equals: &'static str,
    /// What is answered.
    pub answer: Answer,
}

/// What a handshake is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What stands there, as plain text.
    Echo(Place),
    /// Always the same.
    Fixed(StatusCode, &'static str),
    /// FaithFlow's test message with the time of receipt.
    FaithFlowTest,
    /// Zoom's `plainToken` together with its HMAC.
    ZoomChallenge,
}

impl HandshakeRule {
    /// The answer, if the request is this handshake.
    pub(super) fn answer(&self, request: &Request<'_>, verifier: &Verifier, keys: &Keys) -> Option<Handshake> {
        let reading = Reading::of(request);
        let found = self.at.find(&reading).ok().flatten()?;
        if found != self.equals {
            return None;
        }
        let (status, content_type, body) = match &self.answer {
            Answer::Fixed(status, body) => (*status, JSON, Bytes::from_static(body.as_bytes())),
            Answer::Echo(place) => (StatusCode::OK, "text/plain; charset=utf-8", echo(place, &reading)?),
            Answer::FaithFlowTest => (StatusCode::OK, JSON, faithflow_test(request.received_at)),
            Answer::ZoomChallenge => (StatusCode::OK, JSON, zoom(request, verifier, keys)?),
        };
        Some(Handshake { name: self.name, authenticated: true, status, content_type, body })
    }
}

fn echo(place: &Place, reading: &Reading<'_>) -> Option<Bytes> {
    let challenge = place.find(reading).ok().flatten().map(Cow::into_owned)?;
    (challenge.len() <= CHALLENGE_LIMIT && !challenge.chars().any(char::is_control)).then(|| Bytes::from(challenge))
}

/// Document B's answer to `test` and `ping`, its time written as there: microseconds and `+00:00`.
fn faithflow_test(received_at: Timestamp) -> Bytes {
    let at = received_at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string();
    let message = "Webhook test successful! FaithTracker is ready to receive member updates.";
    Bytes::from(json!({"success": true, "message": message, "timestamp": at}).to_string())
}

/// Zoom signs events with the same key, so the token may hold nothing that an event's signed string needs (`:`, `{`).
fn zoom(request: &Request<'_>, verifier: &Verifier, keys: &Keys) -> Option<Bytes> {
    let token = Place::field("/payload/plainToken").find(&Reading::of(request)).ok().flatten()?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if token.len() > CHALLENGE_LIMIT || !token.bytes().all(harmless) {
        return None;
    }
    let Keys::Fixed(keys) = keys else { return None };
    let signed_by = |key: &&Key| verifier.verify(request, std::slice::from_ref(*key)).is_ok();
    let secret = keys.iter().find(signed_by)?.shared()?;
    let encrypted = mac(Hash::Sha256, secret.expose(), |take| {
        take(token.as_bytes());
        Ok(())
    });
    let answer = json!({"plainToken": token, "encryptedToken": hex::encode(encrypted.ok()?)});
    Some(Bytes::from(answer.to_string()))
}
