//! HubSpot's v3 signature: base64 over method, public URL, body and a time in milliseconds; the body is an array.
//!
//! HubSpot documents that it decodes some percent-encoded characters of the URL before it signs; its libraries take the
//! URL as it is. Either is taken.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        limits::OnConflict,
        place::Place,
        profile::Profile,
        public_url::UrlForm,
        sample::Draft,
        split::Split,
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "hubspot-v3", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        signed: signed(UrlForm::AsGiven),
        or_signed: vec![signed(UrlForm::Decoded)],
        fresh: Some(Freshness::at_header("x-hubspot-request-timestamp", TimeForm::Millis)),
        ..Scheme::hmac_body(Place::header("x-hubspot-signature-v3"), SignatureForm::Bare)
    };
    // The event's id is unique only within portal, subscription and time.
    let id = ["/portalId", "/subscriptionId", "/eventId", "/occurredAt"].map(Place::field).to_vec();
    Profile {
        naming: Naming {
            json: true,
            split: Some(Split::body()),
            key: vec![KeyAt::Joined(id)],
            kind: KindRule { at: vec![Place::field("/subscriptionType")], ..KindRule::default() },
            tenant: vec![Place::field("/portalId")],
            subject: vec![Place::field("/objectId")],
            occurred_at: Some((Place::field("/occurredAt"), TimeForm::Millis)),
            ..Naming::default()
        },
        // `attemptNumber` counts up from one delivery of an event to the next.
        on_conflict: OnConflict::Replay,
        ..Profile::new(PRESET.name, path("/webhooks/hubspot"), Verifier::Signed(scheme))
    }
}

fn signed(url: UrlForm) -> Template {
    Template::of([Piece::Method, Piece::Url(url), Piece::Body, Piece::Time])
}

fn sample(draft: &Draft<'_>) -> Value {
    json!([{
        "eventId": draft.id, "subscriptionId": 12345, "portalId": 62515, "occurredAt": draft.at.as_millisecond(),
        "subscriptionType": draft.kind, "attemptNumber": 0, "objectId": draft.subject_or("123"),
    }])
}
