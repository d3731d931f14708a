//! Orders: which one a payment is for, and what a payment does to it.
//!
//! An order collects facts (confirmed, failed, refunded, each with its time), and the schema derives its status from
//! them: a confirmed order stays confirmed though an older attempt at paying it is reported later, in whatever order.

use lychgate_common::{
    change::{Change, Row, Table},
    event::Event,
    row,
    store::{KnownSale, OrderName},
};
use serde_json::{Value, json};

use super::{Told, money};
use crate::{
    handler::Failure,
    handlers::mail::{self, Template},
};

/// Orders as they stand.
pub(super) static ORDER: Table = Table {
    name: "order",
    key: &["source", "account", "order_id"],
    columns: &[
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
        "merged_into",
    ],
};

/// What happened to them.
pub(super) static HISTORY: Table = Table {
    name: "order_history",
    key: &["event_id", "order_id"],
    columns: &["source", "account", "change", "at", "amount", "currency", "detail"],
};

/// How an order is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// The order's own id, else its payment's.
    pub(super) id: String,
    /// The payment, where that is another name for it.
    pub(super) payment: Option<String>,
}

impl Name {
    /// As the store looks it up.
    pub(super) fn within<'n>(&'n self, event: &'n Event) -> OrderName<'n> {
        OrderName { source: &event.source, account: &event.tenant, order_id: &self.id }
    }
}

/// The order that an event is about; `None` where it is about none, such as the payment of an invoice.
pub(super) fn name(told: &Told<'_>) -> Result<Option<Name>, Failure> {
    let object = &told.object;
    let kind = told.event.kind.as_ref();
    let own = object.optional_object("metadata")?.map(|metadata| metadata.optional_text("order_id")).transpose()?;
    let own = own.flatten().filter(|id| !id.trim().is_empty());
    if kind.starts_with("payment_intent.") {
        let id = object.text("id")?;
        return Ok(match own {
            Some(own) => Some(Name { id: own, payment: Some(id) }),
            None if pays_invoice(told)? => None,
            None => Some(Name { id, payment: None }),
        });
    }
    if kind.starts_with("checkout.session.") {
        if object.optional_text("mode")?.is_some_and(|mode| mode != "payment") {
            return Ok(None);
        }
        let payment = object.optional_id("payment_intent")?;
        let own = match own {
            Some(own) => Some(own),
            // Without a payment nothing else can name the order.
            None if payment.is_none() => object.optional_text("client_reference_id")?,
            None => None,
        };
        return Ok(match (own, payment) {
            (Some(id), payment) => Some(Name { id, payment }),
            (None, Some(id)) => Some(Name { id, payment: None }),
            (None, None) => None,
        });
    }
    let of_charge = kind.starts_with("charge.") && !kind.starts_with("charge.refund.") && kind != "charge.updated";
    if of_charge && !kind.starts_with("charge.dispute.") {
        let payment = object.optional_id("payment_intent")?;
        return Ok(match (own, payment) {
            (Some(id), payment) => Some(Name { id, payment }),
            (None, _) if pays_invoice(told)? => None,
            (None, Some(id)) => Some(Name { id, payment: None }),
            (None, None) => Some(Name { id: object.text("id")?, payment: None }),
        });
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
    let mut changes = changed(told, &name.id, "confirmed", facts, (Some(paid.amount), Some(&paid.currency)), detail)?;
    if let Some(email) = email {
        // One mail a payment: the intent's event and the checkout's tell of the same.
        let what = format!("{}/{}", told.event.tenant, name.payment.as_ref().unwrap_or(&name.id));
        let shown = known.merged_into.as_ref().unwrap_or(&name.id);
        let data = json!({ "order_id": shown, "amount": money::spoken(paid.amount, &paid.currency) });
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
    let mut changes = changed(told, &name.id, "payment_failed", facts, (Some(amount), Some(currency)), detail)?;
    if let Some(email) = email {
        let reason = reason.unwrap_or_else(|| "The payment was declined.".to_owned());
        let subject = format!("order {}", name.id);
        let data = json!({ "amount": money::spoken(amount, currency), "subject": subject, "reason": reason });
        changes.push(mail::queue(told.event, Template::PaymentFailed, &email, &told.id, data));
    }
    Ok(changes)
}

/// Facts about an order, and the line of its history.
pub(super) fn changed(
    told: &Told<'_>,
    order_id: &str,
    change: &str,
    facts: Row,
    (amount, currency): (Option<i64>, Option<&str>),
    detail: Value,
) -> Result<Vec<Change>, Failure> {
    let key = row! { "source" => *told.event.source, "account" => *told.event.tenant, "order_id" => order_id };
    let mut history = key.clone();
    history.extend(row! {
        "event_id" => told.event.id, "change" => change, "at" => told.at, "amount" => amount, "currency" => currency,
        "detail" => detail,
    });
    let mut row = key;
    row.extend(facts);
    row.extend(row! { "updated_at" => told.at });
    let rank = rank(change, amount, told)?;
    Ok(vec![Change::merge(&ORDER, row, told.version(rank)), Change::append(&HISTORY, history)])
}

/// Within one second the fuller refund is the later one; else a success is later than a failure.
fn rank(change: &str, amount: Option<i64>, told: &Told<'_>) -> Result<i64, Failure> {
    Ok(match change {
        "refunded" => told.refunded_share(amount.unwrap_or(0))?,
        "confirmed" => 4,
        "canceled" | "expired" => 3,
        "payment_failed" => 2,
        _ => 1,
    })
}

impl Told<'_> {
    /// How much of the object's amount `refunded` is, in 900,000ths, so that a share orders events within a second.
    pub(super) fn refunded_share(&self, refunded: i64) -> Result<i64, Failure> {
        let amount = self.object.optional_integer("amount")?.unwrap_or(0).max(1);
        let share = i128::from(refunded.clamp(0, amount)) * 900_000 / i128::from(amount);
        Ok(i64::try_from(share).unwrap_or(0))
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
