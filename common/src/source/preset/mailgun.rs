//! Mailgun: the signature stands in the body and covers only its own time and token, **not the body**.
//!
//! The token serves once and is signed, so it is the key: whoever changes a captured body cannot change the token, and
//! meets a conflict. Mailgun repeats a delivery for hours with the time of the first.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        pointer::Pointer,
        profile::Profile,
        sample::Draft,
        template::{Piece, Template},
        time::{Freshness, TimeAt, TimeForm},
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "mailgun", profile, sample };

/// Longer than Mailgun retries.
const PAST: Duration = Duration::from_secs(24 * 3600);

fn profile() -> Profile {
    let (time, token) = ("/signature/timestamp", "/signature/token");
    let scheme = Scheme {
        signed: Template::of([time, token].map(|pointer| Piece::Field(Pointer::literal(pointer)))),
        fresh: Some(Freshness {
            at: TimeAt::Places(vec![Place::field(time)]),
            form: TimeForm::Seconds,
            past: PAST,
            future: Freshness::TOLERANCE,
        }),
        ..Scheme::hmac_body(Place::field("/signature/signature"), SignatureForm::Bare)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field(token))],
            kind: KindRule { at: vec![Place::field("/event-data/event")], ..KindRule::default() },
            subject: vec![Place::field("/event-data/id")],
            occurred_at: Some((Place::field(time), TimeForm::Seconds)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/mailgun"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "signature": {"timestamp": draft.at.as_second().to_string(), "token": draft.id, "signature": ""},
        "event-data": {"event": draft.kind, "id": draft.subject_or("CPgfbmQMTCKtHW6uIWtuVe"), "recipient": "alice@example.com"},
    })
}
