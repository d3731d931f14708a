//! Which of a request's headers are kept with its event: all but those that carry a credential.
//!
//! What is kept is shown to operators and stored for as long as the event, so it must be of no use to a thief.

use std::borrow::Cow;

use hyper::{HeaderMap, header::HeaderName};
use serde_json::{Map, Value};

/// Names that never are kept, because all of their value is a credential.
const DROPPED: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-forwarded-client-cert",
    "x-trello-webhook",
    "plaid-verification",
];

/// Parts of names that give a credential away.
const TELLTALE: [&str; 9] =
    ["signature", "secret", "token", "api-key", "apikey", "hmac", "password", "credential", "transmission-sig"];

/// What nearly every request carries and gives nothing away: not searched for a telltale.
const PLAIN: [&str; 8] =
    ["host", "content-type", "content-length", "user-agent", "accept", "accept-encoding", "connection", "date"];

/// Longest value that is kept, in bytes; the rest is cut off.
const KEPT_VALUE_LIMIT: usize = 1024;

/// Whether a header may be stored.
pub fn may_keep(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Twilio's idempotency token names a message and opens nothing.
    PLAIN.contains(&name)
        || name == "i-twilio-idempotency-token"
        || (!DROPPED.contains(&name) && !TELLTALE.iter().any(|telltale| name.contains(telltale)))
}

/// The headers to store with an event, names in lower case; a repeated one is joined by commas.
pub fn kept_headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in headers.keys().filter(|name| may_keep(name)) {
        let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut joined = values.next().map(Cow::into_owned).unwrap_or_default();
        for value in values {
            joined.push_str(", ");
            joined.push_str(&value);
        }
        // PostgreSQL stores no NUL; nobody sends one but to see what happens.
        joined.retain(|c| c != '\0');
        joined.truncate(joined.floor_char_boundary(KEPT_VALUE_LIMIT));
        kept.insert(name.as_str().to_owned(), Value::String(joined));
    }
    kept
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_not_kept() {
        let mut headers = HeaderMap::new();
        for name in
            ["authorization", "cookie", "x-webhook-signature", "x-zm-signature", "x-gitlab-token", "x-trello-webhook"]
        {
            headers.insert(name, HeaderValue::from_static("secret"));
        }
        headers.insert("x-platform-event", HeaderValue::from_static("user.created"));
        let kept = kept_headers(&headers);
        assert_eq!(Value::Object(kept), serde_json::json!({"x-platform-event": "user.created"}));
    }
}
