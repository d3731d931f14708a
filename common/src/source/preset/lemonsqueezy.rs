//! Lemon Squeezy: `X-Signature`, hex over the body, which names its event in `/meta/event_name`.
//!
//! There is no id: a retry is the same bytes, and what happened to an order stands in them with its time.

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

pub(super) const PRESET: Preset = Preset { name: "lemonsqueezy", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_body(Place::header("x-signature"), SignatureForm::Bare);
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHash],
            kind: KindRule {
                at: vec![Place::field("/meta/event_name"), Place::header("x-event-name")],
                ..KindRule::default()
            },
            tenant: vec![Place::field("/data/attributes/store_id")],
            subject: vec![Place::field("/data/id")],
            occurred_at: Some((Place::field("/data/attributes/updated_at"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/lemonsqueezy"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "meta": {"event_name": draft.kind},
        "data": {
            "type": "orders", "id": draft.subject_or("1"),
            "attributes": {"store_id": 1, "identifier": draft.id, "total": 1199, "updated_at": draft.time()},
        },
    })
}
