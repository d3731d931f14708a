//! Checkout sessions: the session as it stands, and the order that it pays.
//!
//! Only the session may know the order's id, in its metadata or as the reference that it was given: what its payment
//! intent and charge say of themselves belongs to that order then. Sessions that set up or subscribe pay no order.

use lychgate_common::{
    change::{Change, Table},
    row,
    store::KnownSale,
};
use serde_json::json;

use super::{Told, order};
use crate::handler::Failure;

/// Sessions as they stand.
pub(super) static SESSION: Table = Table {
    name: "stripe_checkout_session",
    key: &["source", "id"],
    columns: &[
        "mode",
        "status",
        "payment_status",
        "order_id",
        "payment_intent_id",
        "subscription_id",
        "customer_id",
        "email",
        "amount_total",
        "currency",
        "created_at",
    ],
};

pub(super) fn changed(told: &Told<'_>, known: &KnownSale) -> Result<Vec<Change>, Failure> {
    let session = &told.object;
    let name = order::name(told)?;
    let mut row = told.copied(
        &[("created_at", "created")],
        &[
            ("mode", "mode"),
            ("status", "status"),
            ("payment_status", "payment_status"),
            ("payment_intent_id", "payment_intent"),
            ("subscription_id", "subscription"),
            ("customer_id", "customer"),
            ("email", "customer_email"),
            ("currency", "currency"),
        ],
        &[("amount_total", "amount_total")],
    )?;
    let details = session.optional_object("customer_details")?;
    let email = details.map(|details| details.optional_text("email")).transpose()?.flatten();
    if let Some(email) = email {
        row.extend(row! { "email" => email });
    }
    row.extend(row! { "order_id" => name.as_ref().map(order::Name::told) });
    let completed = told.event.kind.ends_with("session.completed");
    let mut changes = vec![told.merge(&SESSION, row, if completed { 0 } else { 1 })?];
    let Some(name) = name else { return Ok(changes) };

    let amount = session.optional_integer("amount_total")?.unwrap_or(0);
    let currency = session.optional_text("currency")?.unwrap_or_default();
    let paid = session.optional_text("payment_status")?.is_some_and(|status| status != "unpaid");
    let mut of_order = match told.step() {
        "expired" => {
            let facts = row! { "expired_at" => told.at };
            order::changed(told, &name, "expired", facts, (Some(amount), Some(&currency)), json!({}))?
        }
        "async_payment_failed" => {
            let message = "The payment was not completed by the bank.".to_owned();
            order::payment_failed(told, &name, known, (amount, &currency), (None, Some(message)))?
        }
        "completed" if !paid => {
            let facts = row! { "processing_at" => told.at };
            order::changed(told, &name, "processing", facts, (Some(amount), Some(&currency)), json!({}))?
        }
        _ => {
            let paid = order::Paid { amount, currency: currency.clone(), by: name.payment.clone() };
            order::confirmed(told, &name, known, &paid)?
        }
    };
    if told.step() != "expired"
        && let Some(Change::Merge { row, .. }) = of_order.first_mut()
    {
        row.extend(row! { "amount" => amount, "currency" => currency });
    }
    changes.append(&mut of_order);
    Ok(changes)
}
