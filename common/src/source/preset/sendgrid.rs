//! SendGrid's event webhook: ECDSA on P-256 over `{ts}{body}`; the body is an array, each element an event with its id.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        key::KeyForm,
        place::Place,
        profile::Profile,
        sample::Draft,
        split::Split,
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Accepted, Algorithm, Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "sendgrid", profile, sample };

/// SendGrid sets no tolerance and may retry for a day; every event's id is signed, so an old request does no harm.
const PAST: Duration = Duration::from_secs(24 * 3600);

fn profile() -> Profile {
    let time = Freshness::at_header("x-twilio-email-event-webhook-timestamp", TimeForm::Seconds);
    let scheme = Scheme {
        encoding: Encoding::Base64,
        accepted: vec![Accepted { label: None, algorithm: Algorithm::EcdsaP256 }],
        signed: Template::of([Piece::Time, Piece::Body]),
        fresh: Some(Freshness { past: PAST, ..time }),
        ..Scheme::hmac_body(Place::header("x-twilio-email-event-webhook-signature"), SignatureForm::Bare)
    };
    Profile {
        key_form: KeyForm::P256Spki,
        naming: Naming {
            json: true,
            split: Some(Split::body()),
            key: vec![KeyAt::Place(Place::field("/sg_event_id"))],
            kind: KindRule { at: vec![Place::field("/event")], ..KindRule::default() },
            subject: vec![Place::field("/sg_message_id")],
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Seconds)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/sendgrid"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!([{
        "email": "hello@example.com", "event": draft.kind, "sg_event_id": draft.id,
        "sg_message_id": draft.subject_or("LRzXl_NHStOGhQ4kofSm_A"), "timestamp": draft.at.as_second(),
    }])
}
