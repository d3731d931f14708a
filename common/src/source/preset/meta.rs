//! Meta (Facebook, Instagram, WhatsApp): `X-Hub-Signature-256: sha256=…` over the body, with the app's secret.
//!
//! Before it sends anything Meta asks with a GET whether this is the right place: `hub.challenge` is echoed where
//! `hub.verify_token` is one of the source's `verify_token`. One request may tell several entries; it is one event, known
//! by its body, in which every entry has its time or id.

use std::borrow::Cow;

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "meta", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let verifier = Verifier::Signed(Scheme::hmac_body(Place::header("x-hub-signature-256"), form));
    Profile {
        handshakes: vec![HandshakeRule {
            name: "hub_challenge",
            method: Method::GET,
            when: Some((Place::Query("hub.mode".into()), Some(Cow::Borrowed("subscribe")))),
            unless: None,
            known_by: KnownBy::VerifyToken(Place::Query("hub.verify_token".into())),
            answer: Answer::Echo(Place::Query("hub.challenge".into())),
        }],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHash],
            kind: KindRule {
                at: vec![Place::field("/object")],
                suffix: Some(Place::field("/entry/0/changes/0/field")),
                ..KindRule::default()
            },
            subject: vec![Place::field("/entry/0/id")],
            occurred_at: Some((Place::field("/entry/0/time"), TimeForm::Any)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/meta"), verifier)
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let (object, field) = draft.kind.split_once('.').unwrap_or((draft.kind, "photos"));
    let change = json!({"field": field, "value": {"verb": "update", "object_id": draft.id}});
    let entry = json!({"id": draft.subject_or("10210299214172187"), "time": draft.at.as_second(), "changes": [change]});
    json!({"object": object, "entry": [entry]})
}
