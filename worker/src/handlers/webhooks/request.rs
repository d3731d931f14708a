//! The request of a delivery: document D's headers and Standard Webhooks' beside them, over the envelope as recorded.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT},
};
use jiff::Timestamp;
use lychgate_common::{
    event::Event,
    source::{Destination, Forward, JSON},
    store::Endpoint,
};

use crate::{handlers::forward::NoAnswer, http::HttpError};

/// What document D says we are.
const PLATFORM_AGENT: &str = "Platform-Webhooks/1.0";

/// Builds it. `now` is the time it is signed at: each attempt has its own.
pub(super) fn request(
    event: &Event,
    forward: &Forward,
    destination: &Destination,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let (time, id) = (now.as_second(), event.id.to_string());
    let mut request = Request::post(destination.url.as_str())
        .header("x-platform-signature", endpoint.signing.platform(&event.body).unwrap_or_default())
        .header("x-platform-delivery", &id)
        .header("webhook-id", &id)
        .header("webhook-timestamp", time.to_string())
        .header("webhook-signature", forward.signature(event.id, time, &event.body))
        .header(CONTENT_TYPE, JSON)
        .header(USER_AGENT, PLATFORM_AGENT)
        .body(Full::new(event.body.clone()))
        .map_err(|error| NoAnswer::Http(HttpError::Request(error)))?;
    let also = [
        (HeaderName::from_static("x-platform-event"), Some(event.kind.as_ref())),
        (HeaderName::from_static("traceparent"), endpoint.traceparent.as_deref()),
    ];
    for (name, text) in also {
        // What its sender made of characters that no header can hold is left out rather than the delivery; the type
        // stands in the body, too.
        if let Some(value) = text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    Ok(request)
}
