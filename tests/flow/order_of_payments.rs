//! What several events say of one payment makes the same order, in whatever order they arrive: a refund, a failed refund
//! and the news which order a payment is for, against PostgreSQL's own rows.

use bytes::Bytes;
use jiff::Timestamp;
use lychgate_common::{
    event::{Event, EventId},
    store::Store,
};
use lychgate_tests::Database;
use lychgate_worker::{
    handler::Handler,
    handlers::stripe::{Stripe, TABLES},
};
use serde_json::{Value, json};

use crate::rows::migrated;

const NOON: i64 = 1_736_942_400;

/// A Stripe event `second` seconds after noon.
fn told(kind: &str, second: i64, object: &Value, previous: &Value) -> Event {
    let at = Timestamp::from_second(NOON + second).unwrap();
    let id = object["id"].as_str().unwrap();
    let body = json!({"id": format!("evt_{kind}_{id}_{second}"), "object": "event", "created": at.as_second(), "type": kind,
        "data": {"object": object, "previous_attributes": previous}});
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

fn intent(id: &str, order: Option<&str>) -> Event {
    let metadata = order.map_or(json!({}), |order| json!({ "order_id": order }));
    let object = json!({"id": id, "amount": 2000, "currency": "usd", "created": NOON, "metadata": metadata});
    told("payment_intent.succeeded", 1, &object, &Value::Null)
}

fn charge(kind: &str, second: i64, payment: &str, refunded: i64) -> Event {
    let object = json!({"id": format!("ch_{payment}"), "amount": 2000, "currency": "usd", "payment_intent": payment,
        "status": "succeeded", "amount_refunded": refunded, "created": NOON, "metadata": {}});
    told(kind, second, &object, &Value::Null)
}

fn session(payment: &str, reference: Option<&str>, order: Option<&str>) -> Event {
    let metadata = order.map_or(json!({}), |order| json!({ "order_id": order }));
    let object = json!({"id": format!("cs_{payment}"), "mode": "payment", "status": "complete", "payment_status": "paid",
        "payment_intent": payment, "client_reference_id": reference, "amount_total": 2000, "currency": "usd",
        "created": NOON, "metadata": metadata});
    told("checkout.session.completed", 1, &object, &Value::Null)
}

fn refund(kind: &str, second: i64, payment: &str, status: &str) -> Event {
    let object = json!({"id": format!("re_{payment}"), "charge": format!("ch_{payment}"), "payment_intent": payment,
        "amount": 2000, "currency": "usd", "status": status, "created": NOON});
    told(kind, second, &object, &Value::Null)
}

/// All orders of `len` things, by Heap's rule.
fn permutations(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(len - 1);
    shorter
        .iter()
        .flat_map(|one| {
            (0..len).map(move |at| {
                let mut longer = one.clone();
                longer.insert(at, len - 1);
                longer
            })
        })
        .collect()
}

async fn rows(database: &Database) -> Vec<String> {
    let mut all = database.column("select to_jsonb(o)::text from \"order\" o order by order_id").await;
    for table in TABLES.iter().filter(|table| table.name != "email_queue") {
        all.extend(database.column(&format!("select to_jsonb(t)::text from \"{}\" t order by 1", table.name)).await);
    }
    all.extend(database.column("select to_jsonb(t)::text from order_timeline t order by 1").await);
    all
}

/// Lets a history arrive in every order, and says what the orders are in the end.
async fn in_any_order(store: &Store, database: &Database, history: &[Event]) -> Vec<String> {
    let handler = Stripe::new(store.clone());
    let empty: String = TABLES.iter().map(|table| format!("delete from {};", table.name)).collect();
    let mut expected = None;
    for order in permutations(history.len()) {
        database.connect().await.batch_execute(&empty).await.unwrap();
        for at in &order {
            let changes = handler.handle(&history[*at]).await.unwrap().changes;
            store.apply(&changes).await.unwrap();
        }
        let found = rows(database).await;
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{order:?}");
    }
    let line =
        "select concat_ws(' ', order_id, status, amount_paid, amount_refunded, supplier_id) from \"order\" order by 1";
    database.column(line).await
}

#[tokio::test]
async fn a_refund_reaches_its_order_whatever_arrives_first() {
    let (store, database) = migrated().await;
    let suppliers = "insert into supplier (supplier_id, name) values ('a', 'A'), ('b', 'B'), ('c', 'C')";
    database.connect().await.batch_execute(suppliers).await.unwrap();
    let without_supplier = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    // Only the session knows the order.
    let history =
        [intent("pi_70", None), charge("charge.refunded", 5, "pi_70", 2000), session("pi_70", None, Some("O-70"))];
    let ends = in_any_order(&store, &database, &history).await;
    assert_eq!(without_supplier(ends), ["O-70 refunded 2000 2000"]);
    let story = "select change from order_timeline where order_id = 'O-70' order by at, change";
    assert_eq!(database.column(story).await, ["confirmed", "confirmed", "refunded"]);
    // Only the intent knows it; and the session has a cart's name for it.
    let history = [
        intent("pi_60", Some("O-60")),
        charge("charge.refunded", 5, "pi_60", 500),
        session("pi_60", Some("cart_9"), None),
        charge("charge.updated", 4, "pi_60", 0),
    ];
    let ends = in_any_order(&store, &database, &history).await;
    assert_eq!(without_supplier(ends), ["O-60 partially_refunded 2000 500"]);
    // Only a reference names it.
    let history = [intent("pi_61", None), session("pi_61", Some("O-61"), None)];
    let ends = in_any_order(&store, &database, &history).await;
    assert_eq!(without_supplier(ends), ["O-61 confirmed 2000"]);
    // Two payments of one order, one of them given back.
    let history =
        [intent("pi_1", Some("O-1")), session("pi_2", None, Some("O-1")), charge("charge.refunded", 5, "pi_2", 2000)];
    let ends = in_any_order(&store, &database, &history[1..]).await;
    assert_eq!(without_supplier(ends), ["O-1 refunded 2000 2000"]);
    let handler = Stripe::new(store.clone());
    store.apply(&handler.handle(&history[0]).await.unwrap().changes).await.unwrap();
    let line = "select concat_ws(' ', status, amount_paid, amount_refunded) from \"order\"";
    assert_eq!(database.column(line).await, ["partially_refunded 4000 2000"]);
}

#[tokio::test]
async fn a_failed_refund_leaves_its_order_paid_whatever_arrives_first() {
    let (store, database) = migrated().await;
    let paid = [
        intent("pi_1", Some("O-1")),
        charge("charge.refunded", 5, "pi_1", 2000),
        refund("refund.failed", 60, "pi_1", "failed"),
        refund("refund.created", 5, "pi_1", "pending"),
    ];
    let ends = in_any_order(&store, &database, &paid).await;
    assert_eq!(ends, ["O-1 confirmed 2000 0"], "the charge says nothing more");
    let told_twice = [&paid[..3], &[charge("charge.updated", 60, "pi_1", 0)]].concat();
    assert_eq!(in_any_order(&store, &database, &told_twice).await, ["O-1 confirmed 2000 0"]);
    let again = [&paid[..3], &[charge("charge.refunded", 90, "pi_1", 2000)]].concat();
    assert_eq!(in_any_order(&store, &database, &again).await, ["O-1 refunded 2000 2000"], "a second refund");
}

#[tokio::test]
async fn a_refund_of_what_nobody_called_an_order_makes_none() {
    let (store, database) = migrated().await;
    let history = [charge("charge.refunded", 5, "pi_9", 2000), charge("charge.updated", 9, "pi_9", 2000)];
    assert!(in_any_order(&store, &database, &history).await.is_empty());
}
