//! CloudEvents over HTTP, binary or structured (Azure Event Grid, Knative): id, source, type and time in `ce-` headers or
//! in the body.
//!
//! The specification knows a sender by a token, as bearer or as `access_token` in the URL. A sender that asks with OPTIONS
//! whether it may send is told yes: that says only that something here takes webhooks.

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        limits::ContentTypes,
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "cloudevents", profile, sample };

fn profile() -> Profile {
    let token = Token { at: vec![Place::Bearer, Place::Query("access_token".into())] };
    let either = |name: &'static str, pointer| vec![Place::header(name), Place::field(pointer)];
    Profile {
        content_types: ContentTypes::Any,
        handshakes: vec![HandshakeRule {
            name: "webhook_request_origin",
            method: Method::OPTIONS,
            when: Some((Place::header("webhook-request-origin"), None)),
            unless: None,
            known_by: KnownBy::Anybody,
            answer: Answer::AllowOrigin,
        }],
        naming: Naming {
            key: vec![
                KeyAt::Joined(vec![Place::header("ce-source"), Place::header("ce-id")]),
                KeyAt::Joined(vec![Place::field("/source"), Place::field("/id")]),
            ],
            kind: KindRule { at: either("ce-type", "/type"), ..KindRule::default() },
            subject: either("ce-subject", "/subject"),
            occurred_at: Some((Place::header("ce-time"), TimeForm::Rfc3339)),
            occurred_at_or: vec![(Place::field("/time"), TimeForm::Rfc3339)],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/cloudevents"), Verifier::Token(token))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "specversion": "1.0", "id": draft.id, "source": "/shop", "type": draft.kind, "time": draft.time(),
        "subject": draft.subject_or("order-7"), "datacontenttype": "application/json", "data": {"total": 1},
    })
}
