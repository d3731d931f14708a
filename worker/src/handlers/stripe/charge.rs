//! Charges and their refunds.
//!
//! A charge of a payment intent does not touch its order (the intent's own events do), except that a refund is told on
//! the charge, with the total so far, less again where one fails. A charge without an intent, from the older API, is a
//! payment itself.

use lychgate_common::{
    change::{Change, Table},
    row,
    store::KnownSale,
};
use serde_json::json;

use super::{Told, order};
use crate::handler::Failure;

/// Charges as they stand.
pub(super) static CHARGE: Table = Table {
    name: "stripe_charge",
    key: &["source", "id"],
    columns: &[
        "status",
        "payment_intent_id",
        "customer_id",
        "email",
        "amount",
        "amount_captured",
        "amount_refunded",
        "currency",
        "disputed",
        "failure_code",
        "failure_message",
        "receipt_url",
        "created_at",
    ],
};

/// Refunds as they stand.
pub(super) static REFUND: Table = Table {
    name: "stripe_refund",
    key: &["source", "id"],
    columns: &[
        "status",
        "charge_id",
        "payment_intent_id",
        "amount",
        "currency",
        "reason",
        "failure_reason",
        "created_at",
    ],
};

pub(super) fn changed(told: &Told<'_>, known: &KnownSale) -> Result<Vec<Change>, Failure> {
    let charge = &told.object;
    let id = charge.text("id")?;
    let mut row = told.copied(
        &[("created_at", "created")],
        &[
            ("status", "status"),
            ("payment_intent_id", "payment_intent"),
            ("customer_id", "customer"),
            ("email", "receipt_email"),
            ("currency", "currency"),
            ("failure_code", "failure_code"),
            ("failure_message", "failure_message"),
            ("receipt_url", "receipt_url"),
        ],
        &[("amount", "amount"), ("amount_captured", "amount_captured"), ("amount_refunded", "amount_refunded")],
    )?;
    if charge.has("disputed") {
        row.extend(row! { "disputed" => charge.optional_flag("disputed")? });
    }
    let billing = charge.optional_object("billing_details")?;
    let email = billing.map(|billing| billing.optional_text("email")).transpose()?.flatten();
    if let (None, Some(email)) = (charge.optional_text("receipt_email")?, email) {
        row.extend(row! { "email" => email });
    }
    let refunded = charge.optional_integer("amount_refunded")?.unwrap_or(0);
    let along = match told.step() {
        "pending" => 0,
        "failed" | "expired" => 1,
        "succeeded" => 2,
        "captured" => 3,
        _ => 4,
    };
    let mut changes = vec![told.merge(&CHARGE, row, told.refund_rank(refunded)? + along)?];

    let Some(name) = order::name(told)? else { return Ok(changes) };
    let paid = || Ok::<_, Failure>((charge.integer("amount")?, charge.text("currency")?));
    let alone = charge.optional_id("payment_intent")?.is_none();
    match told.step() {
        "refunded" => {
            let (_, currency) = paid()?;
            let facts = row! { "amount_refunded" => refunded };
            let money = (Some(refunded), Some(currency.as_str()));
            changes.extend(order::changed(told, &name, "refunded", facts, money, json!({ "charge": id }))?);
        }
        // A refund that failed gives its part back; of a charge that failed nothing can be refunded.
        "updated" if charge.has("amount_refunded") && charge.optional_text("status")?.as_deref() != Some("failed") => {
            let facts = row! { "amount_refunded" => refunded };
            if told.refunded_before().is_some_and(|before| before != refunded) {
                let currency = charge.optional_text("currency")?;
                let money = (Some(refunded), currency.as_deref());
                changes.extend(order::changed(told, &name, "refunded", facts, money, json!({ "charge": id }))?);
            } else {
                changes.extend(order::known_facts(told, &name, facts, told.refund_rank(refunded)?));
            }
        }
        "succeeded" if alone => {
            let (amount, currency) = paid()?;
            let paid = order::Paid { amount, currency, by: id };
            changes.extend(order::confirmed(told, &name, known, &paid)?);
        }
        "failed" if alone => {
            let (amount, currency) = paid()?;
            let said = (charge.optional_text("failure_code")?, charge.optional_text("failure_message")?);
            changes.extend(order::payment_failed(told, &name, known, (amount, &currency), said)?);
        }
        _ => {}
    }
    Ok(changes)
}

pub(super) fn refunded(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let row = told.copied(
        &[("created_at", "created")],
        &[
            ("status", "status"),
            ("charge_id", "charge"),
            ("payment_intent_id", "payment_intent"),
            ("currency", "currency"),
            ("reason", "reason"),
            ("failure_reason", "failure_reason"),
        ],
        &[("amount", "amount")],
    )?;
    let along = match told.object.optional_text("status")?.as_deref() {
        Some("pending") => 0,
        Some("requires_action") => 1,
        Some("succeeded") => 2,
        Some("failed" | "canceled") => 3,
        Some(_) | None => 0,
    };
    Ok(vec![told.merge(&REFUND, row, along)?])
}
