//! Orders: which one a payment is for, and what a payment does to it.
//!
//! A payment collects facts (confirmed, failed, refunded, each with its time) and, from whichever event says so, the order
//! that it is for. The schema makes the order of its payments, and its status of their facts: a confirmed order stays
//! confirmed though an older attempt at paying it is reported later, in whatever order.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row, Table, Version},
    event::Event,
    row,
    store::{KnownSale, PaymentName},
};
use serde_json::{Value, json};

use super::{Told, money};
use crate::{
    handler::Failure,
    handlers::mail::{self, Template},
};

/// Payments of orders as they stand.
pub(super) static PAYMENT: Table = Table {
    name: "order_payment",
    key: &["source", "account", "payment_id"],
    columns: &[
        "order_id",
        "amount",
        "currency",
        "customer_id",
        "customer_email",
        "payment_intent_id",
        "created_at",
        "updated_at",
        "processing_at",
        "payment_failed_at",
        "failure",
        "canceled_at",
        "cancel_reason",
        "expired_at",
        "confirmed_at",
        "amount_paid",
        "paid_by",
        "amount_refunded",
        "supplier_id",
        "supplier_assigned_at",
    ],
};

/// What happened to them.
pub(super) static HISTORY: Table = Table {
    name: "order_history",
    key: &["event_id", "order_id"],
    columns: &["source", "account", "payment_id", "change", "at", "amount", "currency", "detail"],
};

/// What an event says of which payment this is, and of which order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// The payment intent; the charge or checkout session where there is none.
    pub(super) payment: String,
    /// The order's own id; without one the payment is an order itself.
    pub(super) order: Option<String>,
    /// Whether the order's id stands in the metadata. What a checkout was given as its reference may be a cart's.
    sure: bool,
}

impl Name {
    /// As the store looks it up.
    pub(super) fn within<'n>(&'n self, event: &'n Event) -> PaymentName<'n> {
        PaymentName {
            source: &event.source,
            account: &event.tenant,
            payment_id: &self.payment,
            order_id: self.order.as_deref(),
        }
    }

    /// As the event itself has it, whatever else is known.
    pub(super) fn told(&self) -> &str {
        self.order.as_deref().unwrap_or(&self.payment)
    }

    /// The order as its customer knows it.
    fn shown<'n>(&'n self, known: &'n KnownSale) -> &'n str {
        let own = self.order.as_deref();
        own.filter(|_| self.sure).or(known.order_id.as_deref()).or(own).unwrap_or(&self.payment)
    }
}

/// What an event is about; `None` where it is about no order, such as the payment of an invoice.
pub(super) fn name(told: &Told<'_>) -> Result<Option<Name>, Failure> {
    let object = &told.object;
    let kind = told.event.kind.as_ref();
    let filled = |id: Option<String>| id.filter(|id| !id.trim().is_empty());
    let own = object.optional_object("metadata")?.map(|metadata| metadata.optional_text("order_id")).transpose()?;
    let own = filled(own.flatten());
    let named = |payment: String, own: Option<String>| {
        Some(Name { order: own.filter(|own| *own != payment), payment, sure: true })
    };
    if kind.starts_with("payment_intent.") {
        let invoice = own.is_none() && pays_invoice(told)?;
        return Ok(if invoice { None } else { named(object.text("id")?, own) });
    }
    if kind.starts_with("checkout.session.") {
        if object.optional_text("mode")?.is_some_and(|mode| mode != "payment") {
            return Ok(None);
        }
        let payment = object.optional_id("payment_intent")?;
        let reference = if own.is_none() { filled(object.optional_text("client_reference_id")?) } else { None };
        return Ok(match (payment, reference) {
            (None, None) if own.is_none() => None,
            (payment, reference) => {
                let payment = payment.map_or_else(|| object.text("id"), Ok)?;
                let sure = own.is_some();
                named(payment, own.or(reference)).map(|name| Name { sure, ..name })
            }
        });
    }
    let of_charge = kind.starts_with("charge.") && !kind.starts_with("charge.refund.");
    if of_charge && !kind.starts_with("charge.dispute.") {
        let invoice = own.is_none() && pays_invoice(told)?;
        let payment = object.optional_id("payment_intent")?.map_or_else(|| object.text("id"), Ok)?;
        return Ok(if invoice { None } else { named(payment, own) });
    }
    Ok(None)
}

/// Older API versions say so in `invoice`; newer ones only leave traces.
fn pays_invoice(told: &Told<'_>) -> Result<bool, Failure> {
    let object = &told.object;
    if object.optional_id("invoice")?.is_some() {
        return Ok(true);
    }
    let details = object.optional_object("payment_details")?;
    let reference = details.map(|details| details.optional_text("order_reference")).transpose()?.flatten();
    let description = object.optional_text("description")?;
    Ok(reference.is_some_and(|reference| reference.starts_with("in_"))
        || matches!(description.as_deref(), Some("Subscription creation" | "Subscription update")))
}

/// What a payment says of its order.
#[derive(Debug)]
pub(super) struct Paid {
    pub(super) amount: i64,
    pub(super) currency: String,
    /// The payment intent, or the charge or session where there is none.
    pub(super) by: String,
}

/// The order is paid: confirmed, given to a supplier, and its customer told.
pub(super) fn confirmed(told: &Told<'_>, name: &Name, known: &KnownSale, paid: &Paid) -> Result<Vec<Change>, Failure> {
    let email = customer_email(told, known)?;
    let mut facts = row! {
        "confirmed_at" => told.at, "amount_paid" => paid.amount, "currency" => paid.currency, "paid_by" => paid.by,
    };
    if let Some(supplier) = &known.supplier_id {
        facts.extend(row! { "supplier_id" => supplier, "supplier_assigned_at" => told.at });
    }
    if let Some(email) = &email {
        facts.extend(row! { "customer_email" => email });
    }
    let detail = json!({ "paid_by": paid.by, "supplier_id": known.supplier_id, "mail": email.is_some() });
    let mut changes = changed(told, name, "confirmed", facts, (Some(paid.amount), Some(&paid.currency)), detail)?;
    if let Some(email) = email {
        // One mail a payment: the intent's event and the checkout's tell of the same.
        let what = format!("{}/{}", told.event.tenant, name.payment);
        let data = json!({ "order_id": name.shown(known), "amount": money::spoken(paid.amount, &paid.currency) });
        changes.push(mail::queue(told.event, Template::OrderConfirmation, &email, &what, data));
    }
    Ok(changes)
}

/// An attempt at paying failed; the customer is told, once for each attempt.
pub(super) fn payment_failed(
    told: &Told<'_>,
    name: &Name,
    known: &KnownSale,
    (amount, currency): (i64, &str),
    (code, message): (Option<String>, Option<String>),
) -> Result<Vec<Change>, Failure> {
    let reason = message.clone().or_else(|| code.clone());
    let failure = [code, message].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let email = customer_email(told, known)?;
    let facts = row! { "payment_failed_at" => told.at, "failure" => failure };
    let detail = json!({ "failure": failure, "mail": email.is_some() });
    let mut changes = changed(told, name, "payment_failed", facts, (Some(amount), Some(currency)), detail)?;
    if let Some(email) = email {
        let reason = reason.unwrap_or_else(|| "The payment was declined.".to_owned());
        let subject = format!("order {}", name.shown(known));
        let data = json!({ "amount": money::spoken(amount, currency), "subject": subject, "reason": reason });
        changes.push(mail::queue(told.event, Template::PaymentFailed, &email, &told.id, data));
    }
    Ok(changes)
}

/// Facts about a payment, the line of its order's history, and which order that is where the event says so.
pub(super) fn changed(
    told: &Told<'_>,
    name: &Name,
    change: &str,
    facts: Row,
    (amount, currency): (Option<i64>, Option<&str>),
    detail: Value,
) -> Result<Vec<Change>, Failure> {
    let history = row! {
        "source" => *told.event.source, "account" => *told.event.tenant, "payment_id" => name.payment,
        "order_id" => name.told(), "event_id" => told.event.id, "change" => change, "at" => told.at,
        "amount" => amount, "currency" => currency, "detail" => detail,
    };
    let rank = rank(change, amount, told)?;
    let mut changes = known_facts(told, name, facts, rank);
    changes.push(Change::append(&HISTORY, history));
    Ok(changes)
}

/// Facts about a payment, and which order it is for where the event says so; no history.
pub(super) fn known_facts(told: &Told<'_>, name: &Name, facts: Row, rank: i64) -> Vec<Change> {
    let key = row! {
        "source" => *told.event.source, "account" => *told.event.tenant, "payment_id" => name.payment,
    };
    let mut row = key.clone();
    row.extend(facts);
    row.extend(row! { "updated_at" => told.at });
    let mut changes = vec![Change::merge(&PAYMENT, row, told.version(rank))];
    if let Some(order) = &name.order {
        let mut row = key;
        row.extend(row! { "order_id" => order });
        // A reference is older than whatever the metadata says.
        let version = if name.sure { told.version(0) } else { Version::told(Timestamp::UNIX_EPOCH, &told.id) };
        changes.push(Change::merge(&PAYMENT, row, version));
    }
    changes
}

/// Within one second the fuller refund is the later one; else a success is later than a failure.
fn rank(change: &str, amount: Option<i64>, told: &Told<'_>) -> Result<i64, Failure> {
    Ok(match change {
        "refunded" => told.refund_rank(amount.unwrap_or(0))?,
        "confirmed" => 4,
        "canceled" | "expired" => 3,
        "payment_failed" => 2,
        _ => 1,
    })
}

impl Told<'_> {
    /// How much of the object's amount is refunded, in 900,000ths, so that a share orders events within a second; what
    /// became less (a refund failed) comes just after the more that it was.
    pub(super) fn refund_rank(&self, refunded: i64) -> Result<i64, Failure> {
        let amount = self.object.optional_integer("amount")?.unwrap_or(0).max(1);
        let share = |refunded: i64| {
            let share = i128::from(refunded.clamp(0, amount)) * 900_000 / i128::from(amount);
            i64::try_from(share).unwrap_or(0)
        };
        let before = self.refunded_before();
        Ok(before.filter(|before| *before > refunded).map_or_else(|| share(refunded), |before| share(before) + 10))
    }

    /// What was refunded before the event, where it says so.
    pub(super) fn refunded_before(&self) -> Option<i64> {
        self.previous.as_ref()?.get("amount_refunded")?.as_i64()
    }
}

/// The customer's address: as this event has it, else as it is known.
fn customer_email(told: &Told<'_>, known: &KnownSale) -> Result<Option<String>, Failure> {
    let object = &told.object;
    let mut found = vec![object.optional_text("receipt_email")?, object.optional_text("customer_email")?];
    for holder in ["customer_details", "billing_details"] {
        found.push(object.optional_object(holder)?.map(|it| it.optional_text("email")).transpose()?.flatten());
    }
    // The charge within an intent: the newest one where it was expanded, the first of the list in old API versions.
    let expanded = object.value("latest_charge").is_some_and(Value::is_object);
    let charge = if expanded { object.optional_object("latest_charge")? } else { None };
    let listed = object.optional_object("charges")?.map(|list| list.optional_first("data")).transpose()?.flatten();
    let error = object.optional_object("last_payment_error")?;
    let method = error.map(|error| error.optional_object("payment_method")).transpose()?.flatten();
    for holder in [charge, listed, method].into_iter().flatten() {
        let details = holder.optional_object("billing_details")?;
        found.push(details.map(|details| details.optional_text("email")).transpose()?.flatten());
    }
    if let Some(metadata) = object.optional_object("metadata")? {
        found.push(metadata.optional_text("customer_email")?);
    }
    found.push(known.customer_email.clone());
    Ok(found.into_iter().flatten().find_map(|text| mail::address(&text).map(str::to_owned)))
}
