//! SleekApp's payments as Stripe tells them (document E): orders, charges, checkouts, subscriptions, invoices.
//!
//! One file per kind of Stripe's objects; what an event type does is one line below. Events arrive in any order and often
//! several in one second: state is merged by the event's `created`, ties are broken by what an event says and then by its
//! Stripe id, never by arrival. Types that SleekApp has no use for are *ignored*: Stripe sends what it likes.

mod charge;
mod checkout;
mod customer;
mod invoice;
mod money;
mod order;
mod payment_intent;
mod subscription;

#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::{Change, Row, Table, Version},
    event::Event,
    row,
    store::{KnownSale, Store, StoreError},
};
use serde_json::Value;

use super::{
    fields::{self, Fields},
    mail,
};
use crate::handler::{Cause, Failure, Handled, Handler};

/// Every table that this handler changes.
pub static TABLES: [&Table; 11] = [
    &order::PAYMENT,
    &order::HISTORY,
    &customer::CUSTOMER,
    &checkout::SESSION,
    &charge::CHARGE,
    &charge::REFUND,
    &subscription::SUBSCRIPTION,
    &subscription::HISTORY,
    &invoice::INVOICE,
    &invoice::HISTORY,
    &mail::EMAIL_QUEUE,
];

/// The handler of the preset `stripe`.
#[derive(Clone, Debug)]
pub struct Stripe {
    store: Store,
}

impl Stripe {
    /// A handler that looks orders, suppliers and customers up in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn look_up(&self, event: &Event) -> Result<Handled, Failure> {
        let payload = fields::parse(&event.body)?;
        let told = match Told::read(event, &payload)? {
            Ok(told) => told,
            Err(why) => return Ok(Handled::ignored(why)),
        };
        let known = match order::name(&told)? {
            Some(name) => {
                let customer = told.object.optional_id("customer")?;
                self.store.known_sale(&name.within(event), customer.as_deref()).await.map_err(ours)?
            }
            None => KnownSale::default(),
        };
        effect(&told, &known)
    }
}

impl Handler for Stripe {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.look_up(event))
    }
}

fn ours(error: StoreError) -> Failure {
    Failure::Ours(Cause::from("store_unavailable", "the order could not be looked up", error))
}

/// An event as this folder's files see it: `object` is what the event is about, as of the event.
struct Told<'a> {
    event: &'a Event,
    /// `evt_…`.
    id: String,
    object: Fields<'a>,
    /// The old values of what an `updated` event changed.
    previous: Option<Value>,
    at: Timestamp,
}

impl<'a> Told<'a> {
    /// Reads an event's envelope; the inner error says why there is nothing in it for us.
    fn read(event: &'a Event, payload: &'a Value) -> Result<Result<Self, String>, Failure> {
        let root = Fields::root(payload)?;
        if root.optional_text("object")?.as_deref() == Some("v2.core.event") {
            return Ok(Err("a thin event: it names its object and does not carry it".to_owned()));
        }
        let data = root.object("data")?;
        let object = data.object("object")?;
        // Ids may be numbers; a number is no currency.
        let _currency = object.optional_word("currency")?;
        Ok(Ok(Self {
            event,
            id: root.text("id")?,
            object,
            previous: data.value("previous_attributes").filter(|value| value.is_object()).cloned(),
            at: root.optional_seconds("created")?.unwrap_or_else(|| event.effective_at()),
        }))
    }

    /// How new this is. Stripe's clock counts seconds; of two events in one second the one that is further along wins:
    /// `rank` (below a million) is how far.
    fn version(&self, rank: i64) -> Version {
        let at = self.at.checked_add(SignedDuration::from_micros(rank.clamp(0, 999_999))).unwrap_or(self.at);
        Version::told(at, &self.id)
    }

    /// What follows the object's name in the event type: `succeeded` of `payment_intent.succeeded`.
    fn step(&self) -> &'a str {
        self.event.kind.rsplit('.').next().unwrap_or_default()
    }

    /// A merge of what the object says, under its own id.
    fn merge(&self, table: &'static Table, mut row: Row, rank: i64) -> Result<Change, Failure> {
        row.extend(row! { "source" => *self.event.source, "id" => self.object.text("id")? });
        Ok(Change::merge(table, row, self.version(rank)))
    }

    /// The object's times in seconds, text and numbers: each is copied where the object has the field, `null` included.
    fn copied(&self, seconds: &[Column], texts: &[Column], numbers: &[Column]) -> Result<Row, Failure> {
        let mut row = Row::new();
        for (column, field) in seconds.iter().filter(|(_, field)| self.object.has(field)) {
            row.insert((*column).to_owned(), serde_json::json!(self.object.optional_seconds(field)?));
        }
        for (column, field) in texts.iter().filter(|(_, field)| self.object.has(field)) {
            row.insert((*column).to_owned(), self.object.optional_id(field)?.into());
        }
        for (column, field) in numbers.iter().filter(|(_, field)| self.object.has(field)) {
            row.insert((*column).to_owned(), self.object.optional_integer(field)?.into());
        }
        Ok(row)
    }
}

/// A column and the field that it is copied from.
type Column = (&'static str, &'static str);

/// What an event does, given what is known.
fn effect(told: &Told<'_>, known: &KnownSale) -> Result<Handled, Failure> {
    let kind = told.event.kind.as_ref();
    let changes = match kind {
        "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.processing"
        | "payment_intent.canceled" => {
            if order::name(told)?.is_none() {
                return Ok(Handled::ignored("the payment of an invoice, which has events of its own"));
            }
            payment_intent::changed(told, known)?
        }
        "checkout.session.completed"
        | "checkout.session.expired"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed" => checkout::changed(told, known)?,
        "charge.succeeded" | "charge.failed" | "charge.pending" | "charge.captured" | "charge.updated"
        | "charge.expired" | "charge.refunded" => charge::changed(told, known)?,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => charge::refunded(told)?,
        "customer.created" | "customer.updated" | "customer.deleted" => customer::changed(told)?,
        "invoice.upcoming" => return Ok(Handled::ignored("a preview of an invoice that does not exist yet")),
        kind if kind.starts_with("customer.subscription.") => subscription::changed(told)?,
        kind if kind.starts_with("invoice.") => invoice::changed(told)?,
        other => return Ok(Handled::ignored(format!("no use for the event type {other}"))),
    };
    Ok(Handled::changes(changes))
}
