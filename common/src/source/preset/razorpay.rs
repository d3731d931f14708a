//! Razorpay: `X-Razorpay-Signature`, hex over the body; the event's id stands in an unsigned header.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "razorpay", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_body(Place::header("x-razorpay-signature"), SignatureForm::Bare);
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-razorpay-event-id"))],
            body_guard: true,
            kind: KindRule { at: vec![Place::field("/event")], ..KindRule::default() },
            tenant: vec![Place::field("/account_id")],
            subject: vec![Place::field("/payload/payment/entity/id")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Seconds)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/razorpay"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "entity": "event", "account_id": draft.tenant.unwrap_or("acc_BFQ7uQEaa7j2z7"), "event": draft.kind,
        "contains": ["payment"], "created_at": draft.at.as_second(),
        "payload": {"payment": {"entity": {"id": draft.subject_or("pay_DESlfW9H8K9uqM"), "amount": 100, "currency": "INR"}}},
    })
}
