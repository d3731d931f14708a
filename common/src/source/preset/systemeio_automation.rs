//! Systeme.io's automation rules ("Call a webhook"): unsigned, so the sender is known by a secret in the URL.
//!
//! They are the only ones that report course enrolments. There is no id: what identifies an event is its body, whose time
//! is exact to the second.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "systemeio-automation", profile, sample };

fn profile() -> Profile {
    let verifier = Verifier::Token(Token { at: vec![Place::Query("token".into()), Place::Path("token".into())] });
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashIf(Place::field("/created_at"))],
            kind: KindRule { at: vec![Place::field("/type")], ..KindRule::default() },
            subject: vec![Place::field("/data/contact/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/systemio-automation"), verifier)
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "type": draft.kind,
        "data": {
            "course": {"id": 680_647, "name": "Foundations", "description": null},
            "contact": {"id": draft.subject_or("1"), "email": "jane@example.com", "fields": {"first_name": "Jane"}, "ip": null},
            "access_type": "full_access",
        },
        "account": {"email": "seller@example.com"}, "created_at": draft.time(),
    })
}
