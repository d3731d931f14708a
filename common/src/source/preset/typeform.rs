//! Typeform: `Typeform-Signature: sha256=…`, base64 over the body.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "typeform", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let scheme = Scheme { encoding: Encoding::Base64, ..Scheme::hmac_body(Place::header("typeform-signature"), form) };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/event_id"))],
            kind: KindRule { at: vec![Place::field("/event_type")], ..KindRule::default() },
            subject: vec![Place::field("/form_response/form_id")],
            required: vec![("", Place::field("/event_id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/typeform"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "event_id": draft.id, "event_type": draft.kind,
        "form_response": {"form_id": draft.subject_or("lT4Z3j"), "submitted_at": draft.time(), "answers": []},
    })
}
