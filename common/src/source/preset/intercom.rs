//! Intercom: `X-Hub-Signature: sha1=…` over the body. SHA-1 is Intercom's choice, and sound inside an HMAC. An address is
//! tried with a HEAD before it is taken.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Accepted, Algorithm, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "intercom", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha1=".into(), optional: false };
    let scheme = Scheme {
        accepted: vec![Accepted { label: None, algorithm: Algorithm::Hmac(Hash::Sha1) }],
        ..Scheme::hmac_body(Place::header("x-hub-signature"), form)
    };
    Profile {
        handshakes: vec![
            HandshakeRule::of_sender(
                "ping",
                Place::field("/topic"),
                "ping",
                Answer::Fixed(StatusCode::OK, r#"{"status":"pong"}"#.into()),
            ),
            HandshakeRule::probe(Method::HEAD),
        ],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule { at: vec![Place::field("/topic")], ..KindRule::default() },
            tenant: vec![Place::field("/app_id")],
            subject: vec![Place::field("/data/item/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Seconds)),
            required: vec![("", Place::field("/id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/intercom"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "type": "notification_event", "id": draft.id, "topic": draft.kind, "created_at": draft.at.as_second(),
        "app_id": "abc123", "data": {"item": {"id": draft.subject_or("1295")}},
    })
}
