//! Platform Core (document D): `X-Platform-Signature: sha256=…` over the body, whose `id` and `event` are thereby signed.
//!
//! The header's event type is not signed, so it must only agree with the body's.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};
use crate::settings::{OnLimit, Rate, RateLimit};

pub(super) const PRESET: Preset = Preset { name: "platform", profile, sample };

/// The document's events.
const KINDS: &[&str] = &[
    "user.created",
    "user.updated",
    "user.deleted",
    "user.login",
    "user.logout",
    "token.created",
    "token.refreshed",
    "token.revoked",
    "token.expired",
    "api.rate_limit_exceeded",
    "api.error",
    "system.maintenance",
];

/// Whole names, for an unknown type is taken and ignored whatever its data.
const USERS: &[&str] = &["user.created", "user.updated", "user.deleted", "user.login", "user.logout"];
const TOKENS: &[&str] = &["token.created", "token.refreshed", "token.revoked", "token.expired"];

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let verifier = Verifier::Signed(Scheme::hmac_body(Place::header("x-platform-signature"), form));
    Profile {
        // "Maximum: 1000 webhooks per minute. Burst: up to 100 in 10 seconds. Above, webhooks are queued."
        rate_limit: RateLimit::On(Rate {
            requests: 1000,
            per: Duration::from_secs(60),
            burst: 100,
            on_limit: OnLimit::Defer,
        }),
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule {
                at: vec![Place::field("/event")],
                agrees_with: Some(Place::header("x-platform-event")),
                known: KINDS,
                ..KindRule::default()
            },
            subject: ["/data/user/id", "/data/token/user_id", "/data/session/user_id", "/data/rate_limit/user_id"]
                .map(Place::field)
                .to_vec(),
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/id"))],
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/platform"), verifier)
    }
}

/// The fields of the document's examples without which an event says nothing.
fn checks() -> Vec<Check> {
    let mut checks = Check::all(KINDS, [("/id", Shape::Text)]).to_vec();
    checks.extend(Check::all(USERS, [("/data/user/id", Shape::Text)]));
    checks.extend(Check::all(&["user.created"], [("/data/user/username", Shape::Text)]));
    checks.extend(Check::all(TOKENS, [("/data/token/user_id", Shape::Text), ("/data/token/token_type", Shape::Text)]));
    // A token that is issued anew says until when.
    checks.extend(Check::all(&["token.created", "token.refreshed"], [("/data/token/expires_at", Shape::Moment)]));
    checks.extend(Check::all(
        &["api.rate_limit_exceeded"],
        [
            ("/data/rate_limit/endpoint", Shape::Text),
            ("/data/rate_limit/limit", Shape::Integer),
            ("/data/rate_limit/window", Shape::Integer),
            ("/data/rate_limit/exceeded_by", Shape::Integer),
        ],
    ));
    checks.extend(Check::all(&["api.error"], [("/data/error/message", Shape::Text)]));
    checks.extend(Check::all(&["system.maintenance"], [("/data/maintenance/starts_at", Shape::Moment)]));
    checks
}

fn sample(draft: &Draft<'_>) -> Value {
    let user = draft.subject_or("user_789");
    let at = draft.time();
    let data = match draft.kind.split_once('.') {
        Some(("user", "login" | "logout")) => json!({
            "user": {"id": user, "username": "john.doe@example.com"},
            "session": {"id": format!("session_of_{user}"), "user_id": user, "ip_address": "203.0.113.7", "at": at},
        }),
        Some(("user", _)) => json!({"user": {
            "id": user, "username": "john.doe@example.com", "name": "John Doe", "created_at": at,
            "permissions": ["read", "write"],
        }}),
        Some(("token", _)) => json!({"token": {
            "id": format!("token_of_{user}"), "user_id": user, "token_type": "access_token",
            "expires_at": (draft.at + jiff::SignedDuration::from_hours(1)).to_string(), "scopes": ["read", "write"],
        }}),
        Some(("api", "rate_limit_exceeded")) => json!({"rate_limit": {
            "user_id": user, "endpoint": "/v2/users/me", "limit": 1000, "window": 3600, "exceeded_by": 50,
        }}),
        Some(("api", _)) => json!({"error": {
            "code": "INTERNAL", "message": "Upstream timed out", "endpoint": "/v2/users/me", "status": 504, "user_id": user,
        }}),
        Some(_) | None => json!({"maintenance": {
            "id": "maintenance_1", "starts_at": at, "message": "Database upgrade",
            "ends_at": (draft.at + jiff::SignedDuration::from_hours(2)).to_string(),
        }}),
    };
    json!({"id": draft.id, "event": draft.kind, "timestamp": at, "data": data, "api_version": "2.1.0"})
}
