//! Which of a request's headers are kept with its event: all but those that carry a credential.
//!
//! What is kept is shown to operators and stored for as long as the event, so it must be of no use to a thief.

use std::borrow::Cow;

use hyper::{HeaderMap, header::HeaderName};
use serde::{Serialize, Serializer};

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

/// The headers to store with an event, as the text of a JSON object: names in lower case, a repeated one joined by
/// commas.
pub fn kept_headers(headers: &HeaderMap) -> String {
    // Texts named by texts: nothing in it can fail to serialise.
    serde_json::to_string(&Kept(headers)).unwrap_or_else(|_| "{}".to_owned())
}

/// Written straight into the text: every event has some.
struct Kept<'a>(&'a HeaderMap);

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.0.keys().filter(|name| may_keep(name));
        serializer.collect_map(names.map(|name| (name.as_str(), value(self.0, name))))
    }
}

/// A header's value, without what cannot be a text, and not too much of it.
fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut joined = values.next().unwrap_or_default();
    for value in values {
        joined = Cow::Owned(format!("{joined}, {value}"));
    }
    if joined.len() > KEPT_VALUE_LIMIT {
        let end = joined.floor_char_boundary(KEPT_VALUE_LIMIT);
        joined.to_mut().truncate(end);
    }
    joined
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
        assert_eq!(kept_headers(&headers), r#"{"x-platform-event":"user.created"}"#);
    }

    #[test]
    fn what_is_kept_is_text_of_a_bounded_length() {
        let mut headers = HeaderMap::new();
        headers.append("x-twice", HeaderValue::from_static("a"));
        headers.append("x-twice", HeaderValue::from_static("\"b\""));
        headers.insert("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.insert("x-long", HeaderValue::from_str(&"ä".repeat(KEPT_VALUE_LIMIT)).unwrap());
        let kept: serde_json::Value = serde_json::from_str(&kept_headers(&headers)).unwrap();
        assert_eq!(kept["x-twice"], "a, \"b\"");
        assert_eq!(kept["x-latin"], "caf\u{fffd}");
        assert_eq!(kept["x-long"], "ä".repeat(KEPT_VALUE_LIMIT / 2));
    }
}
