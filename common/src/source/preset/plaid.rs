//! Plaid: `Plaid-Verification` is a token (ES256) with the body's SHA-256 among its claims, at most five minutes old.
//!
//! Its keys are handed out one by one, by Plaid's own interface to those with its credentials (`key_api`). Events have no
//! id and no time, and two of them may have equal bodies: a copy of a delivery is known again, by its token, and every
//! delivery that Plaid signs is an event. It says that something is new, so that one too many does no harm.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Jws, JwsAlgorithm, JwsAt, JwsPayload, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "plaid", profile, sample };

/// Plaid's guide "Webhook verification" allows so much, clocks included.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

fn profile() -> Profile {
    let jws = Jws {
        at: JwsAt::Places(vec![Place::header("plaid-verification")]),
        payload: JwsPayload::Digest { claim: "request_body_sha256".into() },
        algorithms: vec![JwsAlgorithm::Es256],
        expires: false,
        max_age: Some(MAX_AGE),
        leeway: Duration::ZERO,
        ..Jws::bearer()
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Token],
            kind: KindRule {
                at: vec![Place::field("/webhook_type")],
                suffix: Some(Place::field("/webhook_code")),
                ..KindRule::default()
            },
            subject: vec![Place::field("/item_id")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/plaid"), Verifier::Jws(jws))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let (kind, code) = draft.kind.split_once('.').unwrap_or((draft.kind, "DEFAULT_UPDATE"));
    json!({
        "webhook_type": kind, "webhook_code": code, "item_id": draft.subject_or("wz666MBjYWTp2PDzzggYhM6oWWmBb"),
        "error": null, "new_transactions": 19, "environment": "production",
    })
}
