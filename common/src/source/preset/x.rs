//! X (Twitter): `x-twitter-webhooks-signature: sha256=…`, base64 over the body, with the app's consumer secret.
//!
//! X asks every hour whether the address is still ours, with a GET whose `crc_token` is to be signed with the same
//! secret. Only tokens that could not pass for an event are. An activity has no id: it is known by its body.

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "x", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let scheme =
        Scheme { encoding: Encoding::Base64, ..Scheme::hmac_body(Place::header("x-twitter-webhooks-signature"), form) };
    Profile {
        handshakes: vec![HandshakeRule {
            name: "crc",
            method: Method::GET,
            when: Some((Place::Query("crc_token".into()), None)),
            unless: None,
            known_by: KnownBy::Anybody,
            answer: Answer::XChallenge,
        }],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHash],
            kind: KindRule {
                at: vec![Place::field("/data/event_type")],
                fallback: Some("activity".into()),
                known: &["activity"],
                ..KindRule::default()
            },
            tenant: vec![Place::field("/for_user_id")],
            // What X signs of a challenge is no object, and so has no field at all.
            required: vec![("activity", Place::field("/for_user_id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/x"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let user = draft.tenant.unwrap_or("2244994945");
    json!({"for_user_id": user, "favorite_events": [{"id": draft.id, "timestamp_ms": draft.at.as_millisecond()}]})
}
