//! Stripe: `Stripe-Signature: t=…,v1=…` over `{t}.{body}`; the key is the whole `whsec_…`, prefix included.
//!
//! Other schemes in the header (`v0`) are ignored, which is Stripe's own defence against a downgrade. Its library takes
//! timestamps from the future; we allow them the same 300 s as old ones.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        limits::OnConflict,
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Scheme, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "stripe", profile, sample };

const KINDS: &[&str] = &[
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.canceled",
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "charge.succeeded",
    "charge.failed",
    "charge.captured",
    "charge.updated",
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "invoice.created",
    "invoice.updated",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.sent",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.deleted",
];

fn profile() -> Profile {
    let scheme = Scheme::hmac_pairs(Place::header("stripe-signature"), TimeForm::Seconds);
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule { at: vec![Place::field("/type")], known: KINDS, ..KindRule::default() },
            tenant: vec![Place::field("/account")],
            subject: vec![Place::field("/data/object/id"), Place::field("/related_object/id")],
            // Snapshot events have seconds here, thin events ISO 8601.
            occurred_at: Some((Place::field("/created"), TimeForm::Any)),
            required: vec![("", Place::field("/id"))],
            checks: checks(),
            ..Naming::default()
        },
        // `pending_webhooks` counts down between one delivery of an event and the next.
        on_conflict: OnConflict::Replay,
        ..Profile::new(PRESET.name, path("/webhooks/stripe"), Verifier::Signed(scheme))
    }
}

/// Document E demands required field checks. Thin events have types of their own, and no object to check; an invoice's
/// preview, which is ignored, has one without an id.
fn checks() -> Vec<Check> {
    let mut checks = Check::all(KINDS, [("/id", Shape::Text), ("/data/object/id", Shape::Text)]).to_vec();
    checks.extend(Check::all(
        &[
            "payment_intent.succeeded",
            "payment_intent.payment_failed",
            "payment_intent.processing",
            "payment_intent.canceled",
            "charge.succeeded",
            "charge.failed",
            "charge.captured",
            "charge.refunded",
        ],
        [("/data/object/amount", Shape::Integer), ("/data/object/currency", Shape::Word)],
    ));
    checks.extend(Check::all(&["customer.subscription."], [("/data/object/status", Shape::Text)]));
    checks
}

fn sample(draft: &Draft<'_>) -> Value {
    let customer = "cus_NffrFeUfNV2Hib";
    let object = match draft.kind.rsplit_once('.') {
        Some(("customer", _)) => json!({
            "id": draft.subject_or(customer), "object": "customer", "email": "jane@example.com", "name": "Jane Doe",
        }),
        Some(("customer.subscription", verb)) => json!({
            "id": draft.subject_or("sub_1NirD82eZvKYlo2C"), "object": "subscription", "customer": customer,
            "status": if verb == "deleted" { "canceled" } else { "active" },
            "current_period_end": draft.at.as_second() + 2_592_000, "cancel_at_period_end": false,
        }),
        Some(("invoice", verb)) => json!({
            "id": draft.subject_or("in_1NirD82eZvKYlo2C"), "object": "invoice", "customer": customer,
            "amount_due": 2000, "amount_paid": if verb == "paid" { 2000 } else { 0 }, "currency": "usd",
            "status": if verb == "paid" { "paid" } else { "open" },
        }),
        Some(("checkout.session", verb)) => json!({
            "id": draft.subject_or("cs_test_a1NirD82eZvKYlo2C"), "object": "checkout.session", "mode": "payment",
            "status": if verb == "expired" { "expired" } else { "complete" }, "amount_total": 2000, "currency": "usd",
            "payment_status": if verb.ends_with("failed") || verb == "expired" { "unpaid" } else { "paid" },
            "payment_intent": "pi_3NirD82eZvKYlo2C", "customer": customer, "metadata": {"order_id": "order_1"},
            "customer_details": {"email": "jane@example.com"},
        }),
        Some(("refund" | "charge.refund", verb)) => json!({
            "id": draft.subject_or("re_1NirD82eZvKYlo2C"), "object": "refund", "charge": "ch_3NirD82eZvKYlo2C",
            "amount": 2000, "currency": "usd", "status": if verb == "failed" { "failed" } else { "succeeded" },
        }),
        Some(("charge", verb)) => json!({
            "id": draft.subject_or("ch_3NirD82eZvKYlo2C"), "object": "charge", "amount": 2000, "currency": "usd",
            "customer": customer, "payment_intent": "pi_3NirD82eZvKYlo2C", "metadata": {"order_id": "order_1"},
            "status": if verb == "failed" { "failed" } else { "succeeded" }, "billing_details": {"email": "jane@example.com"},
            "amount_refunded": if verb == "refunded" { 2000 } else { 0 },
        }),
        Some(_) | None => json!({
            "id": draft.subject_or("pi_3NirD82eZvKYlo2C"), "object": "payment_intent", "amount": 2000, "currency": "usd",
            "customer": customer, "receipt_email": "jane@example.com", "metadata": {"order_id": "order_1"},
            "status": if draft.kind.ends_with("failed") { "requires_payment_method" } else { "succeeded" },
        }),
    };
    json!({
        "id": draft.id, "object": "event", "api_version": "2026-10-28.endive", "created": draft.at.as_second(),
        "type": draft.kind, "livemode": false, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        "data": {"object": object},
    })
}
