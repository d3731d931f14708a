//! Sanity: `sanity-webhook-signature: t=…,v1=…` in URL-safe base64 over `{t}.{body}`, with a time in milliseconds.
//!
//! A body is whatever its webhook projects, so the type is what was done, as an unsigned header says.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Encoding, Scheme, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "sanity", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64Url,
        ..Scheme::hmac_pairs(Place::header("sanity-webhook-signature"), TimeForm::Millis)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("idempotency-key"))],
            body_guard: true,
            kind: KindRule {
                at: vec![Place::header("sanity-operation")],
                fallback: Some("changed".into()),
                ..KindRule::default()
            },
            subject: vec![Place::field("/_id"), Place::header("sanity-document-id")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/sanity"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"_id": draft.subject_or("resume"), "_type": "page", "_updatedAt": draft.time(), "title": draft.kind})
}
