//! Doppler: `X-Doppler-Signature: sha256=…` over the body.
//!
//! A change of secrets has neither id nor time, so two equal ones in a row cannot be told from one told twice: every
//! delivery counts.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "doppler", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let verifier = Verifier::Signed(Scheme::hmac_body(Place::header("x-doppler-signature"), form));
    Profile {
        naming: Naming {
            json: true,
            kind: KindRule { at: vec![Place::field("/type")], ..KindRule::default() },
            tenant: vec![Place::field("/workplace/id")],
            subject: vec![Place::field("/project/id")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/doppler"), verifier)
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "type": draft.kind, "config": {"name": "dev_2", "environment": "dev"},
        "project": {"id": draft.subject_or("714faaa5958"), "name": "Backend"}, "workplace": {"id": "fcd76"},
    })
}
