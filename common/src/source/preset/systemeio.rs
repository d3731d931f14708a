//! Systeme.io's settings webhooks: bare hex in `X-Webhook-Signature` over the raw body; type and id in unsigned headers.
//!
//! The documentation describes the HMAC over JSON as PHP writes it. The bytes on the wire already have that form; where
//! something in between has rewritten them, the form is restored and tried as well.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{BodyVariant, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "systemeio", profile, sample };

/// All that the settings page offers. Refunds are `SALE_CANCELED`, too.
const KINDS: &[&str] =
    &["CONTACT_CREATED", "CONTACT_TAG_ADDED", "CONTACT_TAG_REMOVED", "CONTACT_OPT_IN", "SALE_NEW", "SALE_CANCELED"];

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: true };
    let scheme =
        Scheme { variant: BodyVariant::PhpJson, ..Scheme::hmac_body(Place::header("x-webhook-signature"), form) };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-webhook-message-id"))],
            body_guard: true,
            kind: KindRule { at: vec![Place::header("x-webhook-event")], known: KINDS, ..KindRule::default() },
            subject: ["/contact/id", "/customer/contactId", "/contact/contact/id"].map(Place::field).to_vec(),
            occurred_at: Some((Place::header("x-webhook-event-timestamp"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/systemio"), Verifier::Signed(scheme))
    }
}

/// A body of one of the kinds that the settings page offers; `None` for others.
pub(super) fn sample_of_known(draft: &Draft<'_>) -> Option<Value> {
    KINDS.contains(&draft.kind).then(|| sample(draft))
}

fn sample(draft: &Draft<'_>) -> Value {
    let id = draft.subject_or("1");
    if draft.kind.starts_with("SALE_") {
        return json!({
            "customer": {"id": 7, "contactId": id, "email": "jane@example.com", "paymentProcessor": "stripe"},
            "order": {"id": draft.id, "createdAt": draft.time(), "totalPrice": 100, "vat": 0.0},
            "orderItem": {"id": 9, "createdAt": draft.time(), "resources": [{"course": {"id": 680_647}}]},
            "pricePlan": {"id": 3, "name": "Once", "type": "one_shot", "amount": 100, "currency": "eur"},
        });
    }
    let mut body = json!({"contact": {
        "id": id, "email": "jane@example.com", "registeredAt": draft.time(), "locale": "en", "unsubscribed": false,
        "fields": [{"fieldName": "First name", "slug": "first_name", "value": "Jane"}], "tags": [],
    }});
    if draft.kind.contains("_TAG_")
        && let Some(map) = body.as_object_mut()
    {
        map.insert("tag".to_owned(), json!({"id": 12, "name": "Member"}));
    }
    body
}
