//! Payment intents: each is an attempt at paying an order.
//!
//! An intent without an order's id in its metadata is an order of its own.

use lychgate_common::{change::Change, row, store::KnownSale};
use serde_json::json;

use super::{Told, order};
use crate::handler::Failure;

pub(super) fn changed(told: &Told<'_>, known: &KnownSale) -> Result<Vec<Change>, Failure> {
    let intent = &told.object;
    let id = intent.text("id")?;
    let Some(name) = order::name(told)? else { return Ok(Vec::new()) };
    let (amount, currency) = (intent.integer("amount")?, intent.text("currency")?);
    let mut changes = match told.step() {
        "succeeded" => {
            let received = intent.optional_integer("amount_received")?.filter(|received| *received > 0);
            let paid = order::Paid { amount: received.unwrap_or(amount), currency: currency.clone(), by: id.clone() };
            order::confirmed(told, &name, known, &paid)?
        }
        "payment_failed" => {
            let error = intent.optional_object("last_payment_error")?;
            let said = |field| error.as_ref().map(|error| error.optional_text(field)).transpose().map(Option::flatten);
            // A card's own reason says more than `card_declined`.
            let code = match said("decline_code")? {
                Some(code) => Some(code),
                None => said("code")?,
            };
            let said = (code, said("message")?);
            order::payment_failed(told, &name, known, (amount, &currency), said)?
        }
        "canceled" => {
            let reason = intent.optional_text("cancellation_reason")?;
            let facts = row! { "canceled_at" => told.at, "cancel_reason" => reason };
            let detail = json!({ "reason": reason, "payment": id });
            order::changed(told, &name, "canceled", facts, (Some(amount), Some(&currency)), detail)?
        }
        _ => {
            let facts = row! { "processing_at" => told.at };
            order::changed(told, &name, "processing", facts, (Some(amount), Some(&currency)), json!({ "payment": id }))?
        }
    };
    // An abandoned attempt says nothing about what the order asks for now.
    if told.step() != "canceled"
        && let Some(Change::Merge { row, .. }) = changes.first_mut()
    {
        row.extend(row! {
            "amount" => amount, "currency" => currency, "payment_intent_id" => id,
            "created_at" => intent.optional_seconds("created")?.unwrap_or(told.at),
        });
        if let Some(customer) = intent.optional_id("customer")? {
            row.extend(row! { "customer_id" => customer });
        }
    }
    Ok(changes)
}
