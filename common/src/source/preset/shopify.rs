//! Shopify: `X-Shopify-Hmac-SHA256`, base64 over the body; topic, shop and ids stand in unsigned headers.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "shopify", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        ..Scheme::hmac_body(Place::header("x-shopify-hmac-sha256"), SignatureForm::Bare)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-shopify-webhook-id"))],
            body_guard: true,
            kind: KindRule { at: vec![Place::header("x-shopify-topic")], ..KindRule::default() },
            tenant: vec![Place::header("x-shopify-shop-domain")],
            subject: vec![Place::field("/id")],
            occurred_at: Some((Place::header("x-shopify-triggered-at"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/shopify"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"id": draft.subject_or("820982911946154508"), "email": "jon@example.com", "total_price": "254.98"})
}
