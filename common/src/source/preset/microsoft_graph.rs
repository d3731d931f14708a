//! Microsoft Graph's change notifications: unsigned, so the sender is known by a secret in the URL (`?token=…`).
//!
//! The secret also guards the handshake, in which `validationToken` is echoed. `clientState`, which Graph repeats in every
//! notification, is not needed beside it and is emptied before anything is stored. A notification without an id cannot be
//! told from its repetition, so it counts.

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        pointer::Pointer,
        profile::Profile,
        sample::Draft,
        split::Split,
        verify::{Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "microsoft-graph", profile, sample };

fn profile() -> Profile {
    let token = Place::Query("token".into());
    let known_by = KnownBy::Secret(token.clone());
    Profile {
        handshakes: vec![HandshakeRule::challenge("validation_token", Method::POST, "validationToken", known_by)],
        naming: Naming {
            json: true,
            split: Some(Split::at(Pointer::literal("/value"))),
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule {
                at: vec![Place::field("/changeType"), Place::field("/lifecycleEvent")],
                ..KindRule::default()
            },
            tenant: vec![Place::field("/tenantId")],
            subject: vec![Place::field("/resource")],
            ..Naming::default()
        },
        redact: &["clientState"],
        ..Profile::new(PRESET.name, path("/webhooks/microsoft-graph"), Verifier::Token(Token { at: vec![token] }))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"value": [{
        "id": draft.id, "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", "changeType": draft.kind,
        "tenantId": draft.tenant.unwrap_or("84bd8158-6d4d-4958-8b9f-9d6445542f95"),
        "resource": draft.subject_or("Users/1/Messages/2"),
    }]})
}
