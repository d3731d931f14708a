//! Webhooks as their real senders build and sign them, and as an attacker would.
//!
//! The signatures are computed here, with other code than the product's: a mistake made in both would have to be made
//! twice.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{directory::unique, http::Request};

/// Seconds since 1970, now.
pub fn now() -> i64 {
    lychgate_common::clock::Clock::system().now().as_second()
}

/// The time now, as RFC 3339.
pub fn now_text() -> String {
    lychgate_common::clock::Clock::system().now().to_string()
}

/// HMAC-SHA256 as bytes.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA256 as lower-case hex.
pub fn hex_sha256(key: &[u8], message: &[u8]) -> String {
    hex::encode(hmac_sha256(key, message))
}

/// Platform Core's envelope.
pub fn platform_body(id: &str, kind: &str, data: &Value) -> Vec<u8> {
    let body = json!({"id": id, "event": kind, "timestamp": now_text(), "data": data, "api_version": "2.1.0"});
    serde_json::to_vec(&body).unwrap()
}

/// A `user.created` for the user `USER-ID`, whose e-mail and name are made from it.
pub fn platform_user_created(id: &str, user: &str) -> Vec<u8> {
    let data = json!({"user": {
        "id": user, "username": format!("{user}@example.com"), "name": format!("User {user}"),
        "created_at": "2024-01-15T10:30:00Z", "permissions": ["read", "write"],
    }});
    platform_body(id, "user.created", &data)
}

/// Platform Core: `X-Platform-Signature: sha256=…` over the body.
pub fn platform(secret: &str, body: Vec<u8>) -> Request {
    let kind = serde_json::from_slice::<Value>(&body).ok();
    let kind = kind.as_ref().and_then(|body| body["event"].as_str()).unwrap_or("user.created").to_owned();
    let signature = format!("sha256={}", hex_sha256(secret.as_bytes(), &body));
    Request::post("/webhooks/platform", body)
        .header("X-Platform-Event", kind)
        .header("X-Platform-Signature", signature)
        .header("X-Platform-Delivery", format!("delivery_{}", unique()))
        .header("User-Agent", "Platform-Webhooks/1.0")
}

/// FaithFlow: bare lower-case hex in `X-Webhook-Signature`.
pub fn faithflow(secret: &str, body: Vec<u8>) -> Request {
    let signature = hex_sha256(secret.as_bytes(), &body);
    Request::post("/api/sync/webhook", body).header("X-Webhook-Signature", signature)
}

/// Stripe: `t=…,v1=…` over `t.body`, signed at `at` (seconds).
pub fn stripe(secret: &str, at: i64, body: Vec<u8>) -> Request {
    let signed = [format!("{at}.").as_bytes(), &body].concat();
    let signature = format!("t={at},v1={}", hex_sha256(secret.as_bytes(), &signed));
    Request::post("/webhooks/stripe", body).header("Stripe-Signature", signature)
}

/// A Stripe event of a type, in the snapshot form.
pub fn stripe_body(id: &str, kind: &str, object: &Value) -> Vec<u8> {
    let body = json!({
        "id": id, "object": "event", "api_version": "2026-10-28.endive", "created": now(),
        "data": {"object": object}, "livemode": false, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "type": kind,
    });
    serde_json::to_vec(&body).unwrap()
}

/// Standard Webhooks: base64 over `id.timestamp.body`, the key behind `whsec_` in base64.
pub fn standard_webhooks(path: &str, secret: &str, id: &str, at: i64, body: Vec<u8>) -> Request {
    let key = BASE64_STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let signed = [format!("{id}.{at}.").as_bytes(), &body].concat();
    let signature = format!("v1,{}", BASE64_STANDARD.encode(hmac_sha256(&key, &signed)));
    Request::post(path, body)
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
}

/// GitHub: `X-Hub-Signature-256: sha256=…` over the body, the id in an unsigned header.
pub fn github(path: &str, secret: &str, delivery: &str, kind: &str, body: Vec<u8>) -> Request {
    let signature = format!("sha256={}", hex_sha256(secret.as_bytes(), &body));
    Request::post(path, body)
        .header("X-GitHub-Event", kind)
        .header("X-GitHub-Delivery", delivery)
        .header("X-Hub-Signature-256", signature)
        .header("User-Agent", "GitHub-Hookshot/abc1234")
}

/// Ways to get a signature wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spoiled {
    /// No header at all.
    Missing,
    /// An empty header.
    Empty,
    /// Made with another secret.
    OtherSecret,
    /// Made over another body.
    OtherBody,
    /// Its last character is missing.
    Truncated,
    /// Its hex digits in upper case.
    UpperCase,
    /// The header twice: a wrong one and the right one.
    Twice,
    /// Not hex or base64 at all.
    Garbage,
    /// Bytes that are no text.
    NotText,
}

impl Spoiled {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Empty,
        Self::OtherSecret,
        Self::OtherBody,
        Self::Truncated,
        Self::UpperCase,
        Self::Twice,
        Self::Garbage,
        Self::NotText,
    ];
}

/// A correctly signed request with its signature, in this header, spoiled. `sign` signs a body with a secret.
pub fn spoil(
    how: Spoiled,
    header: &str,
    secret: &str,
    body: Vec<u8>,
    sign: impl Fn(&str, Vec<u8>) -> Request,
) -> Request {
    let good = sign(secret, body.clone());
    let right = good.value(header).unwrap();
    match how {
        Spoiled::Missing => good.without(header),
        Spoiled::Empty => good.replacing(header, ""),
        Spoiled::OtherSecret => sign(&format!("{secret}x"), body),
        Spoiled::OtherBody => {
            let mut other = body.clone();
            other.push(b' ');
            Request { body, ..sign(secret, other) }
        }
        Spoiled::Truncated => good.replacing(header, &right[..right.len() - 1]),
        Spoiled::UpperCase => {
            let (prefix, digits) =
                right.rsplit_once('=').map_or(("", right.as_str()), |(p, d)| (&right[..=p.len()], d));
            good.replacing(header, format!("{prefix}{}", digits.to_uppercase()))
        }
        Spoiled::Twice => {
            let wrong = sign(&format!("{secret}x"), body).value(header).unwrap();
            good.without(header).header(header, wrong).header(header, right)
        }
        Spoiled::Garbage => good.replacing(header, "sha256=zzzz not a signature"),
        Spoiled::NotText => good.replacing(header, b"\xff\xfe\x80".to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_of_standard_webhooks_comes_out() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let request = standard_webhooks("/", secret, id, 1_614_265_330, br#"{"test": 2432232314}"#.to_vec());
        let signature = request.value("webhook-signature").unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_verified_vector_of_stripe_comes_out() {
        let body = br#"{"id":"evt_test_webhook","object":"event"}"#.to_vec();
        let signature = stripe("whsec_test_secret", 1_700_000_000, body).value("stripe-signature").unwrap();
        let expected = "t=1700000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
        assert_eq!(signature, expected);
    }
}
