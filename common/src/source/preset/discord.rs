//! Discord's webhook events: Ed25519 over `{ts}{body}`, the application's public key in hex.
//!
//! Discord sends bad signatures on purpose and expects 401. Events have no id: their body, which holds a time, is one.
//! The PING of an interactions endpoint is answered, too; interactions themselves, which want their answer at once, are
//! not taken.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        key::KeyForm,
        place::Place,
        profile::Profile,
        reply::{JSON, Reply, ReplyBody},
        sample::Draft,
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Accepted, Algorithm, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "discord", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        accepted: vec![Accepted { label: None, algorithm: Algorithm::Ed25519 }],
        signed: Template::of([Piece::Time, Piece::Body]),
        fresh: Some(Freshness::at_header("x-signature-timestamp", TimeForm::Seconds)),
        ..Scheme::hmac_body(Place::header("x-signature-ed25519"), SignatureForm::Bare)
    };
    Profile {
        key_form: KeyForm::Ed25519Hex,
        handshakes: vec![
            ping("0", Answer::Fixed(StatusCode::NO_CONTENT, "".into())),
            // An interactions endpoint's; an event of type 1 holds an event.
            HandshakeRule {
                unless: Some(Place::field("/event/type")),
                ..ping("1", Answer::Fixed(StatusCode::OK, r#"{"type":1}"#.into()))
            },
        ],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashIf(Place::field("/event/timestamp"))],
            kind: KindRule { at: vec![Place::field("/event/type")], ..KindRule::default() },
            subject: vec![Place::field("/event/data/user/id")],
            occurred_at: Some((Place::field("/event/timestamp"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        reply: Reply {
            status: StatusCode::NO_CONTENT,
            content_type: JSON.into(),
            body: ReplyBody::Fixed(bytes::Bytes::new()),
        },
        ..Profile::new(PRESET.name, path("/webhooks/discord"), Verifier::Signed(scheme))
    }
}

fn ping(kind: &'static str, answer: Answer) -> HandshakeRule {
    HandshakeRule::of_sender("ping", Place::field("/type"), kind, answer)
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "version": 1, "application_id": "1234560123453231555", "type": 1,
        "event": {"type": draft.kind, "timestamp": draft.time(), "data": {"user": {"id": draft.subject_or("1")}}},
    })
}
