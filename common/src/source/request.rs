//! What a source is shown of a request, and what it makes of it.
//!
//! Borrowed from the gateway for the length of the checks; nothing here outlives the answer except [`Identity`].

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};
use jiff::Timestamp;

/// A request whose body has been read.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The request's target as it arrived.
    pub uri: &'a Uri,
    /// The URL the sender was given, from the settings: never rebuilt from `Host`, which the sender chooses.
    pub public_url: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The path's parameters, by name, percent-decoded.
    pub params: &'a [(Arc<str>, String)],
    /// The raw body; empty while only [`super::Source::require_credentials`] is asked.
    pub body: &'a Bytes,
    /// When the request arrived: what timestamps are compared with, however long the request then waited.
    pub received_at: Timestamp,
}

/// A request that one of the source's keys vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentic {
    /// [`crate::secret::Secret::label`] of the key that verified, to record its last use.
    pub secret: String,
    /// The verified payload, where the body is a token: the event is read from this instead.
    pub payload: Option<Bytes>,
}

/// One event of a request, named and typed: what the ledger needs to know before it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The idempotency key; `None` where nothing identifies the event and every delivery counts.
    pub key: Option<String>,
    /// The signature covers the key, so that a captured request cannot come back under another one.
    pub key_signed: bool,
    /// Also treat the same body of the same type under another key as a duplicate, because the key is not signed.
    pub body_guard: bool,
    /// For how long; `None`: as long as keys are kept.
    pub body_guard_window: Option<Duration>,
    /// The sender's event type.
    pub kind: Arc<str>,
    /// Whose event it is within the source; empty where the source has no tenants.
    pub tenant: Arc<str>,
    /// What the event is about.
    pub subject: Option<Arc<str>>,
    /// When the sender says it happened, to the microsecond.
    pub occurred_at: Option<Timestamp>,
    /// The event's own bytes: the whole body, or one element of an array.
    pub body: Bytes,
}
