//! Cross-origin requests (the Fetch standard's CORS): what browsers must be told before their pages may call.
//!
//! Only for sources that are called from browsers; all others stay silent, which browsers take as a no. Whether a page
//! is let in is decided in `ingest` like any other credential; here is only what its browser needs to know.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, HeaderValue, ORIGIN, VARY,
    },
};
use lychgate_common::source::{Refused, Source};

use crate::{
    refusal::Refusal,
    reply::{self, Reply},
};

/// What a page may send beside the headers that need no leave.
const REQUEST_HEADERS: &str = "content-type, idempotency-key, prefer";

/// What a page's script may read of the answer.
const ANSWER_HEADERS: &str = "lychgate-event-id, location, retry-after, idempotent-replayed";

/// How long a browser may remember a preflight's answer, in seconds: as long as Chromium would at most.
const MAX_AGE: &str = "7200";

/// The answer to a browser that asks, with OPTIONS, before its page calls.
pub(crate) fn preflight(source: &Source, headers: &HeaderMap) -> Result<Reply, Refusal> {
    let Some(allowed) = allowed(source, headers) else {
        let refused = if headers.contains_key(ORIGIN) { Refused::OriginForbidden } else { Refused::OriginMissing };
        return Err(Refusal::Source(refused));
    };
    let mut reply = reply::bytes(StatusCode::NO_CONTENT, HeaderValue::from_static("text/plain"), Bytes::new());
    let methods = source.methods().iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let answer = reply.headers_mut();
    answer.remove(CONTENT_TYPE);
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if let Ok(methods) = HeaderValue::try_from(methods) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    answer.insert(VARY, HeaderValue::from_static("Origin"));
    Ok(reply)
}

/// Lets the page that called read the answer, refusals included, where it may call at all.
pub(crate) fn readable(source: &Source, headers: &HeaderMap, mut reply: Reply) -> Reply {
    if source.origins().is_some() {
        let answer = reply.headers_mut();
        answer.insert(VARY, HeaderValue::from_static("Origin"));
        if let Some(allowed) = allowed(source, headers) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        }
    }
    reply
}

/// The request's origin, where its pages may call.
fn allowed(source: &Source, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    source.origins()?.allow(origin.to_str().ok()?).then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use lychgate_common::source::{Origin, Origins, Verifier, preset};

    use super::*;

    fn source() -> Source {
        let mut profile = (preset::named("social-share").unwrap().profile)();
        profile.verifier = Verifier::Origin(Origins::new(vec![Origin::parse("https://shop.example.com").unwrap()]));
        Source::new("shares", profile, &[]).unwrap()
    }

    fn from(origin: &'static str) -> HeaderMap {
        [(ORIGIN, HeaderValue::from_static(origin))].into_iter().collect()
    }

    #[test]
    fn a_page_on_the_list_may_call_and_read_and_others_learn_nothing() {
        let source = source();
        let reply = preflight(&source, &from("https://shop.example.com")).unwrap();
        assert_eq!(reply.status(), StatusCode::NO_CONTENT);
        assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example.com");
        assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_METHODS], "POST");
        let stranger = preflight(&source, &from("https://evil.example")).unwrap_err();
        assert_eq!(stranger, Refusal::Source(Refused::OriginForbidden));
        let refused = || reply::refusal(&Refusal::NotFound);
        let read = readable(&source, &from("https://shop.example.com"), refused());
        assert_eq!(read.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example.com");
        let unread = readable(&source, &from("https://evil.example"), refused());
        assert!(!unread.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(unread.headers()[VARY], "Origin");
    }
}
