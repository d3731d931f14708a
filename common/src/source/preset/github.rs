//! GitHub: `X-Hub-Signature-256: sha256=…` over the body; the delivery's id and the event's name stand in unsigned headers.
//!
//! A captured request could come back under a new id, so the same body is refused as well.

use serde_json::{Value, json};

use hyper::StatusCode;

use super::{
    super::{
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "github", profile, sample };

/// GitHub's own limit for a payload, in bytes.
const BODY_LIMIT: usize = 25 * 1024 * 1024;

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let verifier = Verifier::Signed(Scheme::hmac_body(Place::header("x-hub-signature-256"), form));
    let event = Place::header("x-github-event");
    Profile {
        max_body: BODY_LIMIT,
        handshakes: vec![HandshakeRule::of_sender(
            "ping",
            event.clone(),
            "ping",
            Answer::Fixed(StatusCode::OK, r#"{"status":"pong"}"#.into()),
        )],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-github-delivery"))],
            body_guard: true,
            kind: KindRule { at: vec![event], suffix: Some(Place::field("/action")), ..KindRule::default() },
            subject: vec![Place::field("/repository/full_name"), Place::field("/organization/login")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/github"), verifier)
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let repository = draft.subject_or("octo-org/hello-world");
    let mut body = json!({
        "ref": "refs/heads/main", "after": draft.id,
        "repository": {"id": 1, "full_name": repository}, "sender": {"login": "octocat", "id": 583231},
    });
    if let (Some((_, action)), Some(map)) = (draft.kind.split_once('.'), body.as_object_mut()) {
        map.insert("action".to_owned(), action.into());
    }
    body
}
