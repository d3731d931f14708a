//! Systeme.io's automation rules ("Call a webhook"): unsigned, so the sender is known by a secret in the URL.
//!
//! They are the only ones that report course enrolments. There is no id: what identifies an event is its body, whose time
//! is exact to the second.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "systemeio-automation", profile, sample };

/// The only type whose name is documented; the handler reads others by their words, and nobody refuses one.
const KINDS: &[&str] = &["contact.course.enrolled"];

fn profile() -> Profile {
    let verifier = Verifier::Token(Token { at: vec![Place::Query("token".into()), Place::Path("token".into())] });
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashIf(Place::field("/created_at"))],
            kind: KindRule { at: vec![Place::field("/type")], known: KINDS, ..KindRule::default() },
            subject: vec![Place::field("/data/contact/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/systemio-automation"), verifier)
    }
}

fn checks() -> Vec<Check> {
    let given = ["/data/course", "/data/courseBundle", "/data/course_bundle", "/data/bundle"];
    vec![
        Check::any_of(KINDS, &["/data/contact/email", "/data/contact/contact/email"], Shape::Email),
        Check::any_of(KINDS, &given, Shape::Id),
    ]
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
