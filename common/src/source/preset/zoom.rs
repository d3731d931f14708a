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
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "zoom", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "v0=".into(), optional: false };
    let scheme = Scheme {
        signed: Template::of([Piece::text("v0:"), Piece::Time, Piece::text(":"), Piece::Body]),
        fresh: Some(Freshness::at_header("x-zm-request-timestamp", TimeForm::Seconds)),
        ..Scheme::hmac_body(Place::header("x-zm-signature"), form)
    };
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
