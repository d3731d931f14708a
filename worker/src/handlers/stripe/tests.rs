//! Every type that SleekApp uses has its effect, on payloads of Stripe's shape, and the order of arrival does not matter.

use std::collections::BTreeMap;

use bytes::Bytes;
use lychgate_common::{
    event::EventId,
    source::sample::{self, Draft},
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// 2025-01-15T12:00:00Z.
const NOON: i64 = 1_736_942_400;

fn event(kind: &str, second: i64, object: &Value) -> Event {
    let at = Timestamp::from_second(NOON + second).unwrap();
    let body = json!({
        "id": format!("evt_{kind}_{second}"), "object": "event", "api_version": "2026-10-28.endive",
        "created": NOON + second, "data": {"object": object, "previous_attributes": {"status": "before"}},
        "livemode": false, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "type": kind,
    });
    Event {
        id: EventId::new(at),
        source: "stripe".into(),
        preset: "stripe".into(),
        tenant: "".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: Some(at),
        received_at: at,
        body: Bytes::from(body.to_string()),
    }
}

fn known() -> KnownSale {
    KnownSale { supplier_id: Some("acme".to_owned()), ..KnownSale::default() }
}

fn handle_knowing(event: &Event, known: &KnownSale) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    match Told::read(event, &payload)? {
        Ok(told) => effect(&told, known),
        Err(why) => Ok(Handled::ignored(why)),
    }
}

fn handle(kind: &str, object: &Value) -> Handled {
    handle_knowing(&event(kind, 0, object), &known()).unwrap()
}

/// The rows of one table, by change; what is said of one payment is one row.
fn rows(handled: &Handled, table: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for change in handled.changes.iter().filter(|change| change.table().name == table) {
        let (Change::Merge { row, .. } | Change::Append { row, .. }) = change;
        match rows
            .last_mut()
            .filter(|last| row.contains_key("payment_id") && last.get("payment_id") == row.get("payment_id"))
        {
            Some(last) => last.extend(row.clone()),
            None => rows.push(row.clone()),
        }
    }
    rows
}

fn the(handled: &Handled, table: &str, columns: &[&str]) -> Value {
    let rows = rows(handled, table);
    assert_eq!(rows.len(), 1, "{table}: {rows:?}");
    columns.iter().map(|column| rows[0].get(*column).cloned().unwrap_or(json!("absent"))).collect()
}

fn intent(status: &str) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 2000, "amount_received": if status == "succeeded" { 2000 } else { 0 },
        "currency": "usd", "customer": "cus_1", "created": NOON - 60, "status": status, "latest_charge": "ch_1",
        "receipt_email": "jane@example.com", "metadata": {"order_id": "order_1"}, "cancellation_reason": null,
        "last_payment_error": if status == "requires_payment_method" {
            json!({"code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds.",
                "type": "card_error"})
        } else { Value::Null },
    })
}

fn session(payment_status: &str) -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete", "created": NOON - 90,
        "payment_status": payment_status, "payment_intent": "pi_1", "subscription": null, "customer": "cus_1",
        "customer_email": null, "customer_details": {"email": "jane@example.com", "name": "Jane"},
        "client_reference_id": "cart_9", "amount_total": 2000, "currency": "usd", "metadata": {"order_id": "order_1"},
    })
}

fn charge(refunded: i64) -> Value {
    json!({
        "id": "ch_1", "object": "charge", "amount": 2000, "amount_captured": 2000, "amount_refunded": refunded, "currency": "usd",
        "customer": "cus_1", "payment_intent": "pi_1", "status": "succeeded", "paid": true, "disputed": false,
        "billing_details": {"email": "jane@example.com"}, "receipt_email": null, "created": NOON - 50,
        "failure_code": null, "failure_message": null, "receipt_url": "https://pay.stripe.com/r/1",
        "metadata": {"order_id": "order_1"},
    })
}

fn refund(status: &str) -> Value {
    json!({"id": "re_1", "object": "refund", "amount": 2000, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
        "reason": "requested_by_customer", "status": status, "created": NOON})
}

fn subscription(status: &str) -> Value {
    json!({"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": status, "cancel_at_period_end": false,
        "canceled_at": null, "created": NOON - 60, "latest_invoice": "in_1", "items": {"object": "list", "data": [{
            "id": "si_1", "quantity": 2, "current_period_start": NOON, "current_period_end": NOON + 2_592_000,
            "price": {"id": "price_1", "object": "price"}}]}})
}

fn invoice(status: &str) -> Value {
    json!({"id": "in_1", "object": "invoice", "number": "A-0001", "status": status, "customer": "cus_1",
        "customer_email": "jane@example.com", "amount_due": 2000, "amount_paid": if status == "paid" { 2000 } else { 0 },
        "amount_remaining": if status == "paid" { 0 } else { 2000 }, "currency": "usd", "attempt_count": 1,
        "next_payment_attempt": null, "created": NOON - 60, "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "status_transitions": {"paid_at": if status == "paid" { json!(NOON) } else { Value::Null }},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}})
}

#[test]
fn a_succeeded_payment_confirms_the_order_assigns_a_supplier_and_queues_the_mail() {
    let handled = handle("payment_intent.succeeded", &intent("succeeded"));
    let columns =
        ["order_id", "amount", "currency", "amount_paid", "paid_by", "supplier_id", "confirmed_at", "customer_email"];
    let expected = json!(["order_1", 2000, "usd", 2000, "pi_1", "acme", "2025-01-15T12:00:00Z", "jane@example.com"]);
    assert_eq!(the(&handled, "order_payment", &columns), expected);
    assert_eq!(the(&handled, "order_history", &["change", "amount"]), json!(["confirmed", 2000]));
    let mail = the(&handled, "email_queue", &["template", "recipient", "data", "dedupe_key"]);
    let data = json!({"order_id": "order_1", "amount": "20.00 USD"});
    assert_eq!(mail, json!(["order_confirmation", "jane@example.com", data, "order_confirmation/stripe//pi_1"]));
}

#[test]
fn without_an_order_id_the_payment_is_its_own_order_and_numbers_may_be_text() {
    let mut intent = intent("succeeded");
    intent["metadata"] = json!({});
    intent["amount"] = json!("2000");
    let handled = handle("payment_intent.succeeded", &intent);
    assert_eq!(the(&handled, "order_payment", &["payment_id", "order_id", "amount"]), json!(["pi_1", "absent", 2000]));
}

#[test]
fn without_an_address_no_mail_is_queued_and_the_history_says_so() {
    let mut intent = intent("succeeded");
    intent["receipt_email"] = json!("not an address");
    let handled = handle("payment_intent.succeeded", &intent);
    assert!(rows(&handled, "email_queue").is_empty());
    assert_eq!(rows(&handled, "order_history")[0]["detail"]["mail"], false);
    let known = KnownSale { customer_email: Some("jane@example.org".to_owned()), ..known() };
    let handled = handle_knowing(&event("payment_intent.succeeded", 0, &intent), &known).unwrap();
    assert_eq!(the(&handled, "email_queue", &["recipient"]), json!(["jane@example.org"]));
}

#[test]
fn without_a_free_supplier_the_order_is_confirmed_and_waits_for_one() {
    let event = event("payment_intent.succeeded", 0, &intent("succeeded"));
    let handled = handle_knowing(&event, &KnownSale::default()).unwrap();
    assert_eq!(the(&handled, "order_payment", &["paid_by", "supplier_id"]), json!(["pi_1", "absent"]));
}

#[test]
fn a_failed_payment_is_noted_and_its_customer_told_why() {
    let handled = handle("payment_intent.payment_failed", &intent("requires_payment_method"));
    let failure = "insufficient_funds: Your card has insufficient funds.";
    assert_eq!(the(&handled, "order_payment", &["failure", "confirmed_at"]), json!([failure, "absent"]));
    let data =
        json!({"amount": "20.00 USD", "subject": "order order_1", "reason": "Your card has insufficient funds."});
    assert_eq!(the(&handled, "email_queue", &["template", "data"]), json!(["payment_failed", data]));
}

#[test]
fn processing_and_canceled_are_noted_without_a_mail() {
    let handled = handle("payment_intent.processing", &intent("processing"));
    assert_eq!(the(&handled, "order_payment", &["processing_at"]), json!(["2025-01-15T12:00:00Z"]));
    let mut canceled = intent("canceled");
    canceled["cancellation_reason"] = json!("abandoned");
    let handled = handle("payment_intent.canceled", &canceled);
    assert_eq!(the(&handled, "order_payment", &["cancel_reason", "amount"]), json!(["abandoned", "absent"]));
    assert!(rows(&handled, "email_queue").is_empty());
}

#[test]
fn the_payment_of_an_invoice_is_no_order() {
    let mut old = intent("succeeded");
    old["metadata"] = json!({});
    old["invoice"] = json!("in_1");
    assert!(handle("payment_intent.succeeded", &old).ignored.is_some());
    let mut new = intent("succeeded");
    new["metadata"] = json!({});
    new["description"] = json!("Subscription update");
    assert!(handle("payment_intent.succeeded", &new).ignored.is_some());
}

#[test]
fn a_checkout_is_kept_and_confirms_its_order_once_it_is_paid() {
    let paid = handle("checkout.session.completed", &session("paid"));
    let columns = ["id", "payment_status", "order_id", "email", "amount_total"];
    let expected = json!(["cs_1", "paid", "order_1", "jane@example.com", 2000]);
    assert_eq!(the(&paid, "stripe_checkout_session", &columns), expected);
    let orders = rows(&paid, "order_payment");
    let told = ["payment_id", "order_id", "amount_paid"].map(|column| orders[0][column].clone());
    assert_eq!(told, [json!("pi_1"), json!("order_1"), json!(2000)]);
    // The same key as the intent's own event: one mail.
    assert_eq!(the(&paid, "email_queue", &["dedupe_key"]), json!(["order_confirmation/stripe//pi_1"]));

    let unpaid = handle("checkout.session.completed", &session("unpaid"));
    assert_eq!(rows(&unpaid, "order_history")[0]["change"], "processing");
    let later = handle("checkout.session.async_payment_succeeded", &session("paid"));
    assert_eq!(rows(&later, "order_history")[0]["change"], "confirmed");
    let failed = handle("checkout.session.async_payment_failed", &session("unpaid"));
    assert_eq!(rows(&failed, "order_history")[0]["change"], "payment_failed");
    let mut left = session("unpaid");
    left["payment_intent"] = Value::Null;
    left["metadata"] = json!({});
    let expired = handle("checkout.session.expired", &left);
    assert_eq!(the(&expired, "order_payment", &["order_id", "expired_at"]), json!(["cart_9", "2025-01-15T12:00:00Z"]));
}

#[test]
fn a_checkouts_reference_names_the_order_unless_the_metadata_does() {
    let mut session = session("paid");
    session["metadata"] = json!({});
    let handled = handle("checkout.session.completed", &session);
    assert_eq!(the(&handled, "order_payment", &["payment_id", "order_id"]), json!(["pi_1", "cart_9"]));
    assert_eq!(the(&handled, "email_queue", &["data"])[0]["order_id"], "cart_9");
    // The intent's own word counts for more, though it be older.
    let later = event("checkout.session.completed", 9, &session);
    let events = [later, event("payment_intent.succeeded", 0, &intent("succeeded"))];
    for arrived in [[&events[0], &events[1]], [&events[1], &events[0]]] {
        let key = ["stripe", "", "pi_1"].map(|part| format!("\"{part}\"")).to_vec();
        assert_eq!(model(arrived)[&("order_payment", key)]["order_id"].1, "order_1");
    }
}

#[test]
fn a_charge_that_was_refunded_less_in_the_end_says_so_whichever_comes_first() {
    let with_before = |kind: &str, now: i64, before: i64| {
        let mut event = event(kind, 20, &charge(now));
        let mut body: Value = serde_json::from_slice(&event.body).unwrap();
        body["data"]["previous_attributes"] = json!({ "amount_refunded": before });
        event.body = Bytes::from(body.to_string());
        event
    };
    let events = [with_before("charge.refunded", 2000, 0), with_before("charge.updated", 0, 2000)];
    for arrived in [[&events[0], &events[1]], [&events[1], &events[0]]] {
        let key = ["stripe", "", "pi_1"].map(|part| format!("\"{part}\"")).to_vec();
        assert_eq!(model(arrived)[&("order_payment", key)]["amount_refunded"].1, 0);
    }
    // Its description was edited.
    assert!(rows(&handle("charge.updated", &charge(500)), "order_history").is_empty());
    let mut failed = charge(0);
    failed["status"] = json!("failed");
    assert!(rows(&handle("charge.updated", &failed), "order_payment").is_empty());
}

#[test]
fn a_checkout_that_subscribes_pays_no_order() {
    let mut session = session("paid");
    session["mode"] = json!("subscription");
    session["payment_intent"] = Value::Null;
    session["subscription"] = json!({"id": "sub_1", "object": "subscription"});
    let handled = handle("checkout.session.completed", &session);
    assert_eq!(handled.changes.len(), 1);
    assert_eq!(the(&handled, "stripe_checkout_session", &["subscription_id"]), json!(["sub_1"]));
}

#[test]
fn charges_and_refunds_are_kept_and_a_refund_reaches_the_order() {
    let handled = handle("charge.succeeded", &charge(0));
    let columns = ["id", "status", "payment_intent_id", "email", "amount", "disputed"];
    let expected = json!(["ch_1", "succeeded", "pi_1", "jane@example.com", 2000, false]);
    assert_eq!(the(&handled, "stripe_charge", &columns), expected);
    assert!(rows(&handled, "order_payment").is_empty(), "the intent confirms it");
    let handled = handle("charge.refunded", &charge(500));
    assert_eq!(the(&handled, "order_payment", &["order_id", "amount_refunded"]), json!(["order_1", 500]));
    for kind in ["refund.created", "refund.updated", "charge.refund.updated", "refund.failed"] {
        let handled = handle(kind, &refund("succeeded"));
        assert_eq!(
            the(&handled, "stripe_refund", &["id", "charge_id", "amount"]),
            json!(["re_1", "ch_1", 2000]),
            "{kind}"
        );
    }
}

#[test]
fn a_charge_without_an_intent_is_a_payment_itself() {
    let mut charge = charge(0);
    charge["payment_intent"] = Value::Null;
    charge["metadata"] = json!({});
    let handled = handle("charge.succeeded", &charge);
    assert_eq!(the(&handled, "order_payment", &["payment_id", "paid_by"]), json!(["ch_1", "ch_1"]));
    charge["status"] = json!("failed");
    let handled = handle("charge.failed", &charge);
    assert_eq!(the(&handled, "email_queue", &["template"]), json!(["payment_failed"]));
}

#[test]
fn a_subscription_has_a_state_and_a_history_in_both_forms_of_the_api() {
    for kind in ["created", "updated", "deleted", "paused", "resumed", "trial_will_end"] {
        let handled = handle(&format!("customer.subscription.{kind}"), &subscription("active"));
        let columns = ["id", "status", "price_id", "quantity", "current_period_end"];
        let expected = json!(["sub_1", "active", "price_1", 2, "2025-02-14T12:00:00Z"]);
        assert_eq!(the(&handled, "stripe_subscription", &columns), expected);
        let history = the(&handled, "stripe_subscription_history", &["change", "status", "previous"]);
        assert_eq!(history, json!([kind, "active", {"status": "before"}]));
    }
    let mut old = subscription("active");
    old["items"] = json!({"data": []});
    old["current_period_end"] = json!(NOON);
    let handled = handle("customer.subscription.updated", &old);
    let columns = ["current_period_end", "price_id"];
    assert_eq!(the(&handled, "stripe_subscription", &columns), json!(["2025-01-15T12:00:00Z", "absent"]));
}

#[test]
fn an_invoice_has_a_state_and_a_history_and_a_failed_payment_is_mailed() {
    let handled = handle("invoice.paid", &invoice("paid"));
    let columns = ["id", "status", "subscription_id", "amount_paid", "paid_at", "next_attempt_at"];
    let expected = json!(["in_1", "paid", "sub_1", 2000, "2025-01-15T12:00:00Z", null]);
    assert_eq!(the(&handled, "stripe_invoice", &columns), expected);
    assert_eq!(the(&handled, "stripe_invoice_history", &["change", "status"]), json!(["paid", "paid"]));
    let handled = handle("invoice.payment_failed", &invoice("open"));
    let mail = the(&handled, "email_queue", &["recipient", "template"]);
    assert_eq!(mail, json!(["jane@example.com", "payment_failed"]));
    assert_eq!(the(&handle("invoice.deleted", &invoice("draft")), "stripe_invoice", &["status"]), json!(["deleted"]));
}

#[test]
fn a_customer_is_kept_with_an_address() {
    let jane =
        json!({"id": "cus_1", "object": "customer", "email": "jane@example.com", "name": "Jane", "created": NOON});
    let handled = handle("customer.created", &jane);
    assert_eq!(the(&handled, "stripe_customer", &["id", "email"]), json!(["cus_1", "jane@example.com"]));
    let gone = json!({"id": "cus_1", "object": "customer", "deleted": true});
    let handled = handle("customer.deleted", &gone);
    assert_eq!(the(&handled, "stripe_customer", &["deleted_at", "email"]), json!(["2025-01-15T12:00:00Z", "absent"]));
}

#[test]
fn every_type_that_the_preset_knows_has_an_effect_on_its_own_sample() {
    let preset = lychgate_common::source::preset::named("stripe").unwrap();
    for kind in (preset.profile)().naming.kind.known {
        let at = Timestamp::from_second(NOON).unwrap();
        let draft = Draft { kind, id: "evt_1", tenant: None, subject: None, at };
        let event = Event { body: sample::body("stripe", &draft), ..event(kind, 0, &Value::Null) };
        let handled = handle_knowing(&event, &known()).unwrap();
        assert!(!handled.changes.is_empty(), "{kind}: {:?}", handled.ignored);
    }
}

#[test]
fn unhandled_types_and_thin_events_are_ignored_with_a_reason() {
    for kind in ["account.updated", "charge.dispute.created", "payment_intent.created", "invoice.upcoming"] {
        let handled = handle(kind, &json!({"object": "whatever"}));
        assert!(handled.ignored.is_some() && handled.changes.is_empty(), "{kind}");
    }
    let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v2.core.account.updated",
        "created": "2025-01-15T12:00:00Z", "related_object": {"id": "acct_1"}});
    let event = Event { body: Bytes::from(thin.to_string()), ..event("v2.core.account.updated", 0, &json!({})) };
    assert!(handle_knowing(&event, &known()).unwrap().ignored.unwrap().starts_with("a thin event"));
}

#[test]
fn what_is_missing_or_wrong_is_a_permanent_failure_that_names_its_pointer() {
    let without = |object: &Value, field: &str| {
        let mut object = object.clone();
        object.as_object_mut().unwrap().remove(field);
        object
    };
    let mut wrong = intent("succeeded");
    wrong["amount"] = json!("many");
    let mut number = session("paid");
    number["currency"] = json!(7);
    for (kind, object, expected) in [
        ("payment_intent.succeeded", without(&intent("succeeded"), "id"), "/data/object/id is missing"),
        ("payment_intent.succeeded", without(&intent("succeeded"), "currency"), "/data/object/currency is missing"),
        ("payment_intent.succeeded", wrong, "/data/object/amount must be a whole number, and is text"),
        ("checkout.session.completed", number, "/data/object/currency must be text without NUL, and is a number"),
        ("customer.subscription.updated", without(&subscription("active"), "status"), "/data/object/status is missing"),
        ("invoice.paid", without(&invoice("paid"), "id"), "/data/object/id is missing"),
        ("refund.created", without(&refund("pending"), "id"), "/data/object/id is missing"),
    ] {
        let failure = handle_knowing(&event(kind, 0, &object), &known()).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)));
        assert_eq!(failure.cause().message, expected, "{kind}");
    }
    let empty = Event { body: Bytes::from_static(b"{}"), ..event("invoice.paid", 0, &json!({})) };
    assert_eq!(handle_knowing(&empty, &known()).unwrap_err().cause().message, "/data is missing");
}

/// A purchase as it happens: a first card declined, a second accepted, in parts refunded, with a checkout around it; a
/// subscription and its invoice, whose events share their seconds.
fn story() -> Vec<Event> {
    let mut second = intent("succeeded");
    second["id"] = json!("pi_2");
    [
        ("payment_intent.processing", 0, intent("processing")),
        ("payment_intent.payment_failed", 0, intent("requires_payment_method")),
        ("payment_intent.succeeded", 5, second.clone()),
        ("checkout.session.completed", 5, session("paid")),
        ("charge.succeeded", 5, charge(0)),
        ("payment_intent.canceled", 9, intent("canceled")),
        ("refund.created", 20, refund("pending")),
        ("charge.refunded", 20, charge(500)),
        ("charge.refunded", 20, charge(2000)),
        ("refund.updated", 20, refund("succeeded")),
        ("customer.subscription.created", 30, subscription("incomplete")),
        ("customer.subscription.updated", 30, subscription("active")),
        ("invoice.created", 30, invoice("draft")),
        ("invoice.finalized", 30, invoice("open")),
        ("invoice.payment_failed", 30, invoice("open")),
        ("invoice.paid", 30, invoice("paid")),
        ("invoice.payment_succeeded", 30, invoice("paid")),
        ("customer.subscription.deleted", 60, subscription("canceled")),
    ]
    .iter()
    .map(|(kind, second, object)| event(kind, *second, object))
    .collect()
}

type Cells = BTreeMap<String, (Option<Version>, Value)>;

/// What the applier promises, in a few lines: per column the newest version wins, history is kept once.
fn model<'e>(events: impl IntoIterator<Item = &'e Event>) -> BTreeMap<(&'static str, Vec<String>), Cells> {
    let mut rows: BTreeMap<_, Cells> = BTreeMap::new();
    for change in events.into_iter().flat_map(|event| handle_knowing(event, &known()).unwrap().changes) {
        let table = change.table();
        let (row, version) = match change {
            Change::Merge { row, version, .. } => (row, Some(version)),
            Change::Append { row, .. } => (row, None),
        };
        let key = (table.name, table.key.iter().map(|key| row[*key].to_string()).collect::<Vec<_>>());
        assert!(row.keys().all(|name| table.key.iter().chain(table.columns).any(|known| known == name)), "{row:?}");
        let stored = rows.entry(key).or_default();
        for (column, value) in row {
            let first_wins = version.is_none() && stored.contains_key(&column);
            // Which of a payment's events queued its mail is the one thing that arrival decides.
            let value = if table.name == "email_queue" && column == "event_id" { Value::Null } else { value };
            if !first_wins && stored.get(&column).is_none_or(|(age, _)| *age <= version) {
                stored.insert(column, (version.clone(), value));
            }
        }
    }
    rows
}

#[test]
fn the_story_ends_with_a_refunded_order_and_everything_declared() {
    let events = story();
    let rows = model(&events);
    let cell = |table: &'static str, key: &[&str], column: &str| {
        let key = key.iter().map(|part| format!("\"{part}\"")).collect();
        rows[&(table, key)][column].1.clone()
    };
    let order = |column| cell("order_payment", &["stripe", "", "pi_1"], column);
    assert_eq!((order("amount_refunded"), order("supplier_id")), (json!(2000), json!("acme")));
    assert_eq!(order("order_id"), "order_1");
    assert_eq!(order("confirmed_at"), "2025-01-15T12:00:05Z");
    assert_eq!(cell("stripe_subscription", &["stripe", "sub_1"], "status"), "canceled");
    assert_eq!(cell("stripe_invoice", &["stripe", "in_1"], "status"), "paid");
    assert_eq!(cell("stripe_refund", &["stripe", "re_1"], "status"), "succeeded");
    for change in events.iter().flat_map(|event| handle_knowing(event, &known()).unwrap().changes) {
        assert!(TABLES.contains(&change.table()));
    }
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_rows(order in Just((0..18).collect::<Vec<usize>>()).prop_shuffle(), again in 0..18_usize) {
        let events = story();
        prop_assert_eq!(events.len(), order.len());
        let arrived = order.iter().map(|at| &events[*at]).chain([&events[again]]);
        prop_assert_eq!(model(arrived), model(&events));
    }
}
