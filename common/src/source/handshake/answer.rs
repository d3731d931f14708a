//! What handshakes are answered: an echo, a fixed word, a token with its HMAC, a permission.

use std::borrow::Cow;

use base64::Engine as _;
use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{ALLOW, HeaderName, HeaderValue},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    super::{
        key::{BASE64, Key},
        place::Place,
        reading::Reading,
        reply::JSON,
        verify::{Hash, mac},
    },
    Handshake,
};

/// Longest challenge that is echoed, in bytes: three times the longest that a provider is known to send.
const CHALLENGE_LIMIT: usize = 1024;

const PLAIN: &str = "text/plain; charset=utf-8";

/// CloudEvents' abuse protection: who asks, and what is granted.
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// What a handshake is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What stands there, as plain text.
    Echo(Place),
    /// A header of the request, as a header (Asana).
    EchoHeader(HeaderName),
    /// Always the same.
    Fixed(StatusCode, Cow<'static, str>),
    /// FaithFlow's test message with the time of receipt.
    FaithFlowTest,
    /// Zoom's `plainToken` together with its HMAC.
    ZoomChallenge,
    /// The HMAC of X's `crc_token`.
    XChallenge,
    /// The permission to send that CloudEvents' webhooks ask for.
    AllowOrigin,
}

impl Answer {
    /// The answer; `None` where what is to be answered is not there or not harmless. `key` is what signed the request,
    /// or the source's first where nothing can have.
    pub(super) fn give<'k>(
        &self,
        name: &'static str,
        authenticated: bool,
        reading: &Reading<'_>,
        key: impl FnOnce() -> Option<&'k Key>,
    ) -> Option<Handshake> {
        let found = |place: &Place| place.find(reading).ok().flatten().map(Cow::into_owned);
        let mut headers = Vec::new();
        let (status, content_type, body) = match self {
            Self::Fixed(status, body) => {
                let content_type = if body.starts_with('{') { JSON } else { PLAIN };
                (*status, content_type, Bytes::from(body.clone().into_owned()))
            }
            Self::Echo(place) => {
                let challenge = found(place)?;
                if challenge.len() > CHALLENGE_LIMIT || challenge.chars().any(char::is_control) {
                    return None;
                }
                (StatusCode::OK, PLAIN, Bytes::from(challenge))
            }
            Self::EchoHeader(header) => {
                let text = found(&Place::Header(header.clone())).filter(|text| is_token(text, b"-_"))?;
                headers.push((header.clone(), HeaderValue::try_from(text).ok()?));
                (StatusCode::OK, PLAIN, Bytes::new())
            }
            Self::FaithFlowTest => (StatusCode::OK, JSON, faithflow_test(reading.request().received_at)),
            Self::ZoomChallenge => {
                // Zoom signs events with the same key: the token may hold nothing that an event's string needs (`:`, `{`).
                let token = found(&Place::field("/payload/plainToken")).filter(|text| is_token(text, b"-_"))?;
                let answer = json!({"plainToken": token, "encryptedToken": hex::encode(signed(&token, key()?)?)});
                (StatusCode::OK, JSON, Bytes::from(answer.to_string()))
            }
            Self::XChallenge => {
                // X signs events with the same key: they are JSON objects, so the token may hold no `{`.
                let token = found(&Place::Query("crc_token".into())).filter(|text| is_token(text, b"-_+/="))?;
                let answer = json!({"response_token": format!("sha256={}", BASE64.encode(signed(&token, key()?)?))});
                (StatusCode::OK, JSON, Bytes::from(answer.to_string()))
            }
            Self::AllowOrigin => {
                let origin = found(&Place::Header(REQUEST_ORIGIN)).filter(|text| is_token(text, b"-_.:/*"))?;
                headers.push((ALLOWED_ORIGIN, HeaderValue::try_from(origin).ok()?));
                headers.push((ALLOWED_RATE, HeaderValue::from_static("*")));
                headers.push((ALLOW, HeaderValue::from_static("POST")));
                (StatusCode::OK, PLAIN, Bytes::new())
            }
        };
        Some(Handshake { name, authenticated, status, content_type, headers, body })
    }
}

/// Letters, digits and a few signs, not too many of them.
fn is_token(text: &str, signs: &[u8]) -> bool {
    text.len() <= CHALLENGE_LIMIT && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

fn signed(token: &str, key: &Key) -> Option<Vec<u8>> {
    let signature = mac(Hash::Sha256, key.shared()?.expose(), |take| {
        take(token.as_bytes());
        Ok(())
    });
    signature.ok()
}

/// Document B's answer to `test` and `ping`, its time written as there: microseconds and `+00:00`.
fn faithflow_test(received_at: Timestamp) -> Bytes {
    let at = received_at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string();
    let message = "Webhook test successful! FaithTracker is ready to receive member updates.";
    Bytes::from(json!({"success": true, "message": message, "timestamp": at}).to_string())
}
