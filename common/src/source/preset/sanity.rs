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
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Accepted, Algorithm, Encoding, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "sanity", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Pairs { between: ',', within: '=' };
    let scheme = Scheme {
        encoding: Encoding::Base64Url,
        accepted: vec![Accepted { label: Some("v1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) }],
        signed: Template::of([Piece::Time, Piece::text("."), Piece::Body]),
        fresh: Some(Freshness::at_label("t", TimeForm::Millis)),
        ..Scheme::hmac_body(Place::header("sanity-webhook-signature"), form)
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
