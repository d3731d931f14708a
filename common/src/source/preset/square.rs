//! Square: `x-square-hmacsha256-signature`, base64 over the notification URL and the body.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        public_url::UrlForm,
        sample::Draft,
        template::{Piece, Template},
        time::TimeForm,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "square", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        signed: Template::of([Piece::Url(UrlForm::AsGiven), Piece::Body]),
        ..Scheme::hmac_body(Place::header("x-square-hmacsha256-signature"), SignatureForm::Bare)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/event_id"))],
            kind: KindRule { at: vec![Place::field("/type")], ..KindRule::default() },
            tenant: vec![Place::field("/merchant_id")],
            subject: vec![Place::field("/data/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/event_id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/square"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "merchant_id": draft.tenant.unwrap_or("6SSW7HV8K2ST5"), "type": draft.kind, "event_id": draft.id,
        "created_at": draft.time(), "data": {"type": "payment", "id": draft.subject_or("KkAkhdMsgzn59SM8A89WgKwekxLZY")},
    })
}
