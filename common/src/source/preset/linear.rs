//! Linear: `Linear-Signature`, hex over the body, which holds the time it was signed at in milliseconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::{Freshness, TimeAt, TimeForm},
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "linear", profile, sample };

/// Linear's own library allows a minute.
const TOLERANCE: Duration = Duration::from_secs(60);

fn profile() -> Profile {
    let scheme = Scheme {
        fresh: Some(Freshness {
            at: TimeAt::Places(vec![Place::field("/webhookTimestamp")]),
            form: TimeForm::Millis,
            past: TOLERANCE,
            future: TOLERANCE,
        }),
        ..Scheme::hmac_body(Place::header("linear-signature"), SignatureForm::Bare)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("linear-delivery"))],
            body_guard: true,
            kind: KindRule {
                at: vec![Place::header("linear-event")],
                suffix: Some(Place::field("/action")),
                ..KindRule::default()
            },
            tenant: vec![Place::field("/organizationId")],
            subject: vec![Place::field("/data/id")],
            occurred_at: Some((Place::field("/createdAt"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/linear"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let (kind, action) = draft.kind.split_once('.').unwrap_or((draft.kind, "update"));
    json!({
        "type": kind, "action": action, "createdAt": draft.time(), "webhookTimestamp": draft.at.as_millisecond(),
        "data": {"id": draft.subject_or("2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"), "title": "Fix the gate"},
    })
}
