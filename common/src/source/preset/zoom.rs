//! Zoom: `x-zm-signature: v0=…` over `v0:{ts}:{body}`; endpoints are validated every 72 hours with a token to be signed.
//!
//! Events have no id: what identifies one is its body, which holds a time in milliseconds.

use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "zoom", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_v0(Place::header("x-zm-signature"), "x-zm-request-timestamp");
    Profile {
        handshakes: vec![HandshakeRule::of_sender(
            "endpoint.url_validation",
            Place::field("/event"),
            "endpoint.url_validation",
            Answer::ZoomChallenge,
        )],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashIf(Place::field("/event_ts"))],
            kind: KindRule { at: vec![Place::field("/event")], ..KindRule::default() },
            tenant: vec![Place::field("/payload/account_id")],
            subject: vec![Place::field("/payload/object/id")],
            occurred_at: Some((Place::field("/event_ts"), TimeForm::Millis)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/zoom"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "event": draft.kind, "event_ts": draft.at.as_millisecond(),
        "payload": {"account_id": "abc", "object": {"id": draft.subject_or("94933142"), "topic": "Weekly"}},
    })
}
