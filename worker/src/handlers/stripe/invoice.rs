//! Invoices: their state, by the newest event, every step as history, and a mail to the customer whose payment failed.
//!
//! Several events of one invoice come within one second (finalized, paid, payment succeeded): the status that is further
//! along wins.

use lychgate_common::{
    change::{Change, Table},
    row,
};
use serde_json::json;

use super::{Told, money};
use crate::{
    handler::Failure,
    handlers::mail::{self, Template},
};

/// Invoices as they stand.
pub(super) static INVOICE: Table = Table {
    name: "stripe_invoice",
    key: &["source", "id"],
    columns: &[
        "number",
        "status",
        "customer_id",
        "customer_email",
        "subscription_id",
        "amount_due",
        "amount_paid",
        "amount_remaining",
        "currency",
        "attempt_count",
        "next_attempt_at",
        "due_at",
        "paid_at",
        "hosted_invoice_url",
        "created_at",
    ],
};

/// What happened to them.
pub(super) static HISTORY: Table = Table {
    name: "stripe_invoice_history",
    key: &["event_id"],
    columns: &["source", "invoice_id", "change", "at", "status", "amount_paid"],
};

pub(super) fn changed(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let invoice = &told.object;
    let id = invoice.text("id")?;
    let mut row = told.copied(
        &[("next_attempt_at", "next_payment_attempt"), ("due_at", "due_date"), ("created_at", "created")],
        &[
            ("number", "number"),
            ("customer_id", "customer"),
            ("customer_email", "customer_email"),
            ("subscription_id", "subscription"),
            ("currency", "currency"),
            ("hosted_invoice_url", "hosted_invoice_url"),
        ],
        &[
            ("amount_due", "amount_due"),
            ("amount_paid", "amount_paid"),
            ("amount_remaining", "amount_remaining"),
            ("attempt_count", "attempt_count"),
        ],
    )?;
    if let Some(subscription) = subscription_of(told)? {
        row.extend(row! { "subscription_id" => subscription });
    }
    let status = match told.step() {
        // A draft that was thrown away says `draft` to the last.
        "deleted" => Some("deleted".to_owned()),
        _ => invoice.optional_text("status")?,
    };
    row.extend(row! { "status" => status });
    let times = invoice.optional_object("status_transitions")?;
    if let Some(at) = times.map(|times| times.optional_seconds("paid_at")).transpose()?.flatten() {
        row.extend(row! { "paid_at" => at });
    }
    let history = row! {
        "event_id" => told.event.id,
        "source" => *told.event.source,
        "invoice_id" => id,
        "change" => told.event.kind.trim_start_matches("invoice."),
        "at" => told.at,
        "status" => status,
        "amount_paid" => invoice.optional_integer("amount_paid")?,
    };
    let along = along(status.as_deref(), told.step());
    let mut changes = vec![told.merge(&INVOICE, row, along)?, Change::append(&HISTORY, history)];
    if told.step() == "payment_failed" {
        changes.extend(failure_mail(told, &id)?);
    }
    Ok(changes)
}

/// Newer API versions keep it under `parent`.
fn subscription_of(told: &Told<'_>) -> Result<Option<String>, Failure> {
    let Some(parent) = told.object.optional_object("parent")? else { return Ok(None) };
    let details = parent.optional_object("subscription_details")?;
    Ok(details.map(|details| details.optional_id("subscription")).transpose()?.flatten())
}

/// How far along an invoice is, for events of one second: by its status first, by the step where that is the same.
fn along(status: Option<&str>, step: &str) -> i64 {
    let status = match status {
        Some("draft") | None => 0,
        Some("open") => 1,
        Some("uncollectible") => 2,
        Some("paid") => 3,
        Some(_) => 4,
    };
    let step = match step {
        "created" => 0,
        "finalized" => 1,
        "sent" => 2,
        _ => 3,
    };
    status * 10 + step
}

fn failure_mail(told: &Told<'_>, id: &str) -> Result<Option<Change>, Failure> {
    let invoice = &told.object;
    let Some(text) = invoice.optional_text("customer_email")? else { return Ok(None) };
    let Some(email) = mail::address(&text) else { return Ok(None) };
    let amount = invoice.optional_integer("amount_remaining")?.or(invoice.optional_integer("amount_due")?);
    let currency = invoice.optional_text("currency")?.unwrap_or_default();
    let number = invoice.optional_text("number")?.unwrap_or_else(|| id.to_owned());
    let reason = match invoice.optional_text("hosted_invoice_url")? {
        Some(url) => format!("the payment was declined. You can pay here: {url}"),
        None => "the payment was declined.".to_owned(),
    };
    let data = json!({
        "amount": money::spoken(amount.unwrap_or(0), &currency), "subject": format!("invoice {number}"), "reason": reason,
    });
    Ok(Some(mail::queue(told.event, Template::PaymentFailed, email, &told.id, data)))
}
