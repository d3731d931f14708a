//! The forms of an answer on the wire. Decides nothing.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
};
use lychgate_common::event::EventId;
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// What the listener sends.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Carries the event's id, so that a contract's body stays to the letter.
const EVENT_ID: HeaderName = HeaderName::from_static("lychgate-event-id");
/// The sender has had this answer before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// RFC 7240: the preference was applied.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Reply {
    bytes(status, HeaderValue::from_static("application/json"), Bytes::from(body.to_string()))
}

/// An answer of any type.
pub(crate) fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

/// Names the event, and where to ask what became of it.
pub(crate) fn about(mut reply: Reply, id: EventId) -> Reply {
    let text = id.to_string();
    // A UUID in text is visible ASCII.
    if let Ok(value) = HeaderValue::try_from(text.as_str()) {
        reply.headers_mut().insert(EVENT_ID, value);
    }
    if let Ok(value) = HeaderValue::try_from(format!("/events/{text}")) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// Marks an answer as one that was given before.
pub(crate) fn replayed(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    reply
}

/// Says that the sender's `Prefer: wait=N` was honoured.
pub(crate) fn waited(mut reply: Reply, seconds: u64) -> Reply {
    if let Ok(value) = HeaderValue::try_from(format!("wait={seconds}")) {
        reply.headers_mut().insert(PREFERENCE_APPLIED, value);
    }
    reply
}

/// A refusal: `{"detail": …}` in document B's form, on every route.
pub(crate) fn refusal(refusal: &Refusal) -> Reply {
    let mut reply = json(refusal.status(), &json!({ "detail": refusal.detail() }));
    let headers = reply.headers_mut();
    if let Some(wait) = refusal.retry_after() {
        // Rounded up: a sender that comes a moment early is only refused again.
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64));
    }
    if let Refusal::MethodNotAllowed(allowed) = refusal
        && let Ok(value) = HeaderValue::try_from(allowed.as_str())
    {
        headers.insert(ALLOW, value);
    }
    if refusal.leaves_body() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}
