//! Standard Webhooks 1.0 and its family (Svix, Resend, Clerk, OpenAI …): `webhook-*` or `svix-*` headers.
//!
//! `v1` is HMAC-SHA256 with a `whsec_` key, `v1a` Ed25519 with a `whpk_` key; signatures of other versions are skipped.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        key::KeyForm,
        place::Place,
        profile::Profile,
        sample::Draft,
        template::{Piece, Template},
        time::{Freshness, TimeAt, TimeForm},
        verify::{Accepted, Algorithm, Encoding, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "standard-webhooks", profile, sample };

fn profile() -> Profile {
    let either = |ours, svix| vec![Place::header(ours), Place::header(svix)];
    let id = either("webhook-id", "svix-id");
    let form = SignatureForm::Pairs { between: ' ', within: ',' };
    let scheme = Scheme {
        at: either("webhook-signature", "svix-signature"),
        encoding: Encoding::Base64,
        accepted: vec![
            Accepted { label: Some("v1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) },
            Accepted { label: Some("v1a".into()), algorithm: Algorithm::Ed25519 },
        ],
        signed: Template::of([Piece::Id, Piece::text("."), Piece::Time, Piece::text("."), Piece::Body]),
        id: id.clone(),
        fresh: Some(Freshness {
            at: TimeAt::Places(either("webhook-timestamp", "svix-timestamp")),
            form: TimeForm::Seconds,
            past: Freshness::TOLERANCE,
            future: Freshness::TOLERANCE,
        }),
        ..Scheme::hmac_body(Place::header("webhook-signature"), form)
    };
    Profile {
        key_form: KeyForm::StandardWebhooks,
        naming: Naming {
            json: true,
            key: id.into_iter().map(KeyAt::Place).collect(),
            // The specification recommends `type`, and does not demand it.
            kind: KindRule {
                at: vec![Place::field("/type"), Place::field("/event_type")],
                fallback: Some("message".into()),
                ..KindRule::default()
            },
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Any)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/standard"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"type": draft.kind, "timestamp": draft.time(), "data": {"id": draft.subject_or("thing_1")}})
}
