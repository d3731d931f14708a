//! Twitch's EventSub: `sha256=…` over id, time and body, without anything between them.

use std::time::Duration;

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

pub(super) const PRESET: Preset = Preset { name: "twitch", profile, sample };

/// Twitch asks receivers to refuse what is older.
const PAST: Duration = Duration::from_secs(600);

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: false };
    let id = Place::header("twitch-eventsub-message-id");
    let time = Freshness::at_header("twitch-eventsub-message-timestamp", TimeForm::Rfc3339);
    let scheme = Scheme {
        signed: Template::of([Piece::Id, Piece::Time, Piece::Body]),
        id: vec![id.clone()],
        fresh: Some(Freshness { past: PAST, ..time }),
        ..Scheme::hmac_body(Place::header("twitch-eventsub-message-signature"), form)
    };
    Profile {
        handshakes: vec![HandshakeRule::of_sender(
            "webhook_callback_verification",
            Place::header("twitch-eventsub-message-type"),
            "webhook_callback_verification",
            Answer::Echo(Place::field("/challenge")),
        )],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(id)],
            kind: KindRule { at: vec![Place::field("/subscription/type")], ..KindRule::default() },
            subject: vec![Place::field("/event/broadcaster_user_id")],
            occurred_at: Some((Place::header("twitch-eventsub-message-timestamp"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/twitch"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "subscription": {"id": "f1c2a387", "type": draft.kind, "version": "1", "status": "enabled"},
        "event": {"user_id": "1337", "broadcaster_user_id": draft.subject_or("12826")},
    })
}
