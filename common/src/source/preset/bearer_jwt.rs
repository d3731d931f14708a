//! Any sender with a JSON Web Token as its bearer token: HS256 with the shared secret, or `jwt = { jwks = … }`.
//!
//! The token says who sends, and must expire; it covers nothing of the body, so the same body under another key is a
//! duplicate.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Jws, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "bearer-jwt", profile, sample };

fn profile() -> Profile {
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("idempotency-key")), KeyAt::Place(Place::field("/id"))],
            kind: KindRule {
                at: vec![Place::field("/type"), Place::field("/event")],
                fallback: Some("event".into()),
                ..KindRule::default()
            },
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Any)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/jwt"), Verifier::Jws(Jws::bearer()))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"id": draft.id, "type": draft.kind, "timestamp": draft.time(), "data": {"id": draft.subject_or("thing_1")}})
}
