//! A source of one's own: every part of it can be set; these are the settings it starts from.
//!
//! HMAC-SHA256 in hex over the body in `X-Webhook-Signature`, with or without `sha256=`: what most self-made senders do.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "generic", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: true };
    let verifier = Verifier::Signed(Scheme::hmac_body(Place::header("x-webhook-signature"), form));
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("idempotency-key"))],
            kind: KindRule {
                at: vec![Place::header("x-webhook-event"), Place::field("/type"), Place::field("/event")],
                fallback: Some("event".into()),
                ..KindRule::default()
            },
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Any)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/generic"), verifier)
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"id": draft.id, "type": draft.kind, "timestamp": draft.time(), "data": {"id": draft.subject_or("thing_1")}})
}
