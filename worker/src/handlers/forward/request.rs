//! The request of a delivery: the sender's bytes as they came, and headers by which the service knows and trusts them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use jiff::Timestamp;
use lychgate_common::{
    event::Event,
    source::{Destination, Forward},
    store::Forwarding,
};

use super::client::NoAnswer;
use crate::http::HttpError;

/// What a body is when its sender did not say.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Builds it. `now` is the time it is signed at: each attempt has its own.
pub(super) fn request(
    event: &Event,
    forward: &Forward,
    destination: &Destination,
    known: &Forwarding,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let time = now.as_second();
    let mut request = Request::post(destination.url.as_str())
        .header("webhook-id", event.id.to_string())
        .header("webhook-timestamp", time.to_string())
        .header("webhook-signature", forward.signature(event.id, time, &event.body))
        .header("lychgate-event-id", event.id.to_string())
        .header("lychgate-source", event.source.as_ref())
        .header(CONTENT_TYPE, known.content_type.as_deref().unwrap_or(UNKNOWN_TYPE))
        .body(Full::new(event.body.clone()))
        .map_err(|error| NoAnswer::Http(HttpError::Request(error)))?;
    let also = [
        (HeaderName::from_static("lychgate-event-type"), Some(event.kind.as_ref())),
        (HeaderName::from_static("lychgate-tenant"), Some(event.tenant.as_ref()).filter(|tenant| !tenant.is_empty())),
        (HeaderName::from_static("traceparent"), known.traceparent.as_deref()),
    ];
    for (name, text) in also {
        // What its sender made of characters that no header can hold is left out rather than the delivery.
        if let Some(value) = text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    Ok(request)
}
