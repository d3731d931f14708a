//! WorkOS: `t=…, v1=…` over `{t}.{body}`, with a time in milliseconds and a blank after the comma.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "workos", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_pairs(Place::header("workos-signature"), TimeForm::Millis);
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule { at: vec![Place::field("/event")], ..KindRule::default() },
            subject: vec![Place::field("/data/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/workos"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"id": draft.id, "event": draft.kind, "created_at": draft.time(), "data": {"id": draft.subject_or("user_1")}})
}
