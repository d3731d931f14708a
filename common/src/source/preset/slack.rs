//! Slack's Events API: `X-Slack-Signature: v0=…` over `v0:{ts}:{body}`; the first request is a challenge to be echoed.

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

pub(super) const PRESET: Preset = Preset { name: "slack", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_v0(Place::header("x-slack-signature"), "x-slack-request-timestamp");
    Profile {
        handshakes: vec![HandshakeRule::of_sender(
            "url_verification",
            Place::field("/type"),
            "url_verification",
            Answer::Echo(Place::field("/challenge")),
        )],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/event_id"))],
            kind: KindRule { at: vec![Place::field("/event/type"), Place::field("/type")], ..KindRule::default() },
            tenant: vec![Place::field("/team_id")],
            subject: vec![Place::field("/event/user")],
            occurred_at: Some((Place::field("/event_time"), TimeForm::Seconds)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/slack"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "type": "event_callback", "event_id": draft.id, "event_time": draft.at.as_second(),
        "team_id": draft.tenant.unwrap_or("T1DC2JH3J"),
        "event": {"type": draft.kind, "user": draft.subject_or("U2CERLKJA"), "text": "hello"},
    })
}
