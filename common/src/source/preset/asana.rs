//! Asana: `X-Hook-Signature`, hex over the body; a webhook is made by echoing its secret, `X-Hook-Secret`.
//!
//! The secret is not kept from the handshake, in which anybody could bring one: it also stands in the answer to the
//! request that made the webhook, and goes from there into the settings. Begin with any secret, make the webhook, put in
//! the real one, SIGHUP; what comes meanwhile is refused, and Asana sends it again. Events have no id: an equal event of
//! the same time is the same one.

use hyper::{Method, header::HeaderName};
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        pointer::Pointer,
        profile::Profile,
        sample::Draft,
        split::Split,
        time::TimeForm,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "asana", profile, sample };

const SECRET: HeaderName = HeaderName::from_static("x-hook-secret");

fn profile() -> Profile {
    let scheme = Scheme::hmac_body(Place::header("x-hook-signature"), SignatureForm::Bare);
    Profile {
        handshakes: vec![HandshakeRule {
            name: "hook_secret",
            method: Method::POST,
            when: Some((Place::Header(SECRET), None)),
            unless: Some(Place::header("x-hook-signature")),
            known_by: KnownBy::Anybody,
            answer: Answer::EchoHeader(SECRET),
        }],
        naming: Naming {
            json: true,
            // Without any event it is a sign of life.
            split: Some(Split::at(Pointer::literal("/events"))),
            key: vec![KeyAt::BodyHashIf(Place::field("/created_at"))],
            kind: KindRule {
                at: vec![Place::field("/resource/resource_type")],
                suffix: Some(Place::field("/action")),
                ..KindRule::default()
            },
            subject: vec![Place::field("/resource/gid")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/asana"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let (resource, action) = draft.kind.split_once('.').unwrap_or((draft.kind, "changed"));
    json!({"events": [{
        "user": {"gid": "12345", "resource_type": "user"}, "created_at": draft.time(), "action": action,
        "resource": {"gid": draft.subject_or("1337"), "resource_type": resource}, "parent": null,
    }]})
}
