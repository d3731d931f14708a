//! A handler of one's own, complete: a workshop's orders, kept in a table.
//!
//! In the house it is a file `worker/src/handlers/workshop.rs`, a line in the registry (`worker/src/process.rs`):
//! `.with("generic", Workshop)`, and its table's migration (`own_handler.sql` beside this file). It reads nothing but
//! the event and writes nothing: it returns what is to be written, and the worker writes it in the transaction that
//! also finishes the event. `cargo run -p lychgate-worker --example own_handler` shows what it makes of a sample.

use futures_util::future::BoxFuture;
use lychgate_common::{
    change::{Change, Table, Version},
    event::Event,
    row,
};
use lychgate_worker::{
    handler::{Failure, Handled, Handler},
    handlers::fields::{self, Fields},
};

/// Orders by source and number. The test below and the schema hold it to what the migration makes.
pub static ORDER: Table = Table {
    name: "workshop_order",
    key: &["source", "order_id"],
    columns: &["customer", "cents", "paid_at", "shipped"],
};

/// The handler.
#[derive(Clone, Copy, Debug, Default)]
pub struct Workshop;

impl Handler for Workshop {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(std::future::ready(changes(event)))
    }
}

fn changes(event: &Event) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    let order = Fields::root(&payload)?.object("order")?;
    let mut row = row! { "source" => event.source.as_ref(), "order_id" => order.text("id")? };
    match event.kind.as_ref() {
        "order.paid" => row.extend(row! {
            "customer" => order.text("customer")?,
            "cents" => order.integer("cents")?,
            "paid_at" => event.effective_at(),
        }),
        "order.shipped" => row.extend(row! {
            "customer" => order.text("customer")?,
            "cents" => order.integer("cents")?,
            "shipped" => true,
        }),
        other => return Ok(Handled::ignored(format!("no use for the event type {other}"))),
    }
    // The version is the event's time: an older event that comes later changes no column that a newer one has set.
    Ok(Handled::changes(vec![Change::merge(&ORDER, row, Version::of(event))]))
}

#[cfg(not(test))]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() {
    let body = br#"{"type": "order.paid", "order": {"id": "o-7", "customer": "ada", "cents": 4200}}"#;
    let made = changes(&event("order.paid", body));
    println!("{made:#?}");
}

/// An event as the gateway would have recorded it.
fn event(kind: &str, body: &'static [u8]) -> Event {
    let at = lychgate_common::clock::Clock::system().now();
    Event {
        id: lychgate_common::event::EventId::new(at),
        source: "workshop".into(),
        preset: "generic".into(),
        tenant: "".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: None,
        received_at: at,
        body: bytes::Bytes::from_static(body),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_paid_order_is_merged_by_the_events_time() {
        let event = event("order.paid", br#"{"order": {"id": 7, "customer": "ada", "cents": "4200"}}"#);
        let handled = changes(&event).unwrap();
        let [Change::Merge { table, row, version, .. }] = handled.changes.as_slice() else { panic!("{handled:?}") };
        assert_eq!((table.name, &row["order_id"], &row["cents"]), ("workshop_order", &"7".into(), &4200.into()));
        assert_eq!(*version, Version::of(&event));
    }

    #[test]
    fn what_is_missing_is_a_permanent_failure_that_names_its_pointer() {
        let failure = changes(&event("order.paid", br#"{"order": {"id": 7, "customer": "ada"}}"#)).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)));
        assert_eq!(failure.cause().message, "/order/cents is missing");
    }

    #[test]
    fn a_type_that_it_has_no_use_for_is_ignored_and_says_so() {
        let event = event("order.seen", br#"{"order": {"id": 7}}"#);
        assert!(changes(&event).unwrap().ignored.is_some());
    }
}
