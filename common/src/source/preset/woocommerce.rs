//! WooCommerce: `X-WC-Webhook-Signature`, base64 over the body; topic, shop and delivery's id stand in unsigned headers.
//!
//! When a webhook is saved, WooCommerce tries its address with an unsigned form, which is told yes and forgotten.

use std::borrow::Cow;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule, KnownBy},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "woocommerce", profile, sample };

const SIGNATURE: &str = "x-wc-webhook-signature";

fn profile() -> Profile {
    let scheme =
        Scheme { encoding: Encoding::Base64, ..Scheme::hmac_body(Place::header(SIGNATURE), SignatureForm::Bare) };
    Profile {
        handshakes: vec![HandshakeRule {
            name: "ping",
            method: Method::POST,
            when: Some((Place::header("content-type"), Some(Cow::Borrowed("application/x-www-form-urlencoded")))),
            unless: Some(Place::header(SIGNATURE)),
            known_by: KnownBy::Anybody,
            answer: Answer::Fixed(StatusCode::OK, Cow::Borrowed("")),
        }],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-wc-webhook-delivery-id"))],
            body_guard: true,
            kind: KindRule { at: vec![Place::header("x-wc-webhook-topic")], ..KindRule::default() },
            tenant: vec![Place::header("x-wc-webhook-source")],
            subject: vec![Place::field("/id")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/woocommerce"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"id": draft.subject_or("727"), "number": "727", "status": "processing", "total": "29.35"})
}
