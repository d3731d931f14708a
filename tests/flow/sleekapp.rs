//! SleekApp's tables: what its handlers declare is what the migrations make, suppliers are chosen as they should be, any
//! order of arrival gives the same rows in PostgreSQL too, and the document's views show the ledger.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::{Change, Table},
    event::{Event, EventId},
    store::{KnownSale, PaymentName, Store},
};
use lychgate_tests::Database;
use lychgate_worker::{
    handler::Handler,
    handlers::{
        social_share::{self, SocialShare},
        stripe::{self, Stripe},
    },
};
use serde_json::{Value, json};

use crate::rows::{migrated, record};

fn tables() -> impl Iterator<Item = &'static Table> {
    stripe::TABLES.into_iter().chain([&social_share::ANALYTICS])
}

async fn supplier(database: &Database, id: &str, priority: i32, capacity: Option<i32>) {
    let insert = "insert into supplier (supplier_id, name, priority, capacity) values ($1, $1, $2, $3)";
    database.connect().await.execute(insert, &[&id, &priority, &capacity]).await.unwrap();
}

/// A Stripe event that happened at a second of its story.
fn told(kind: &str, second: i64, object: &Value) -> Event {
    let at = Timestamp::from_second(1_736_942_400 + second).unwrap();
    let body = json!({"id": format!("evt_{kind}_{second}"), "object": "event", "created": at.as_second(), "type": kind,
        "data": {"object": object}, "livemode": false, "api_version": "2026-10-28.endive"});
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

fn story() -> Vec<Event> {
    let intent = |id: &str| {
        json!({"id": id, "amount": 2000, "currency": "usd", "customer": "cus_1", "created": 1_736_942_400,
        "receipt_email": "jane@example.com", "metadata": {"order_id": "order_1"}})
    };
    let charge = |refunded: i64| {
        json!({"id": "ch_1", "amount": 2000, "currency": "usd", "payment_intent": "pi_2", "status": "succeeded",
        "amount_refunded": refunded, "disputed": false, "created": 1_736_942_400, "metadata": {"order_id": "order_1"}})
    };
    let session = json!({"id": "cs_1", "mode": "payment", "status": "complete", "payment_status": "paid", "amount_total": 2000,
        "currency": "usd", "payment_intent": "pi_2", "customer_details": {"email": "jane@example.com"},
        "metadata": {"order_id": "order_1"}, "created": 1_736_942_400});
    let refund =
        |status: &str| json!({"id": "re_1", "charge": "ch_1", "amount": 2000, "currency": "usd", "status": status});
    let subscription = |status: &str| {
        json!({"id": "sub_1", "customer": "cus_1", "status": status, "cancel_at_period_end": false,
        "items": {"data": [{"quantity": 1, "price": {"id": "price_1"}, "current_period_end": 1_739_534_400}]}})
    };
    let invoice = |status: &str| {
        json!({"id": "in_1", "status": status, "customer_email": "jane@example.com", "amount_due": 2000, "currency": "usd",
        "amount_paid": 0, "attempt_count": "1"})
    };
    [
        ("customer.created", 0, json!({"id": "cus_1", "email": "jane@example.com", "name": "Jane"})),
        ("payment_intent.payment_failed", 0, intent("pi_1")),
        ("payment_intent.processing", 4, intent("pi_2")),
        ("payment_intent.succeeded", 4, intent("pi_2")),
        ("checkout.session.completed", 4, session),
        ("payment_intent.canceled", 9, intent("pi_1")),
        ("charge.refunded", 20, charge(500)),
        ("charge.refunded", 20, charge(2000)),
        ("refund.created", 20, refund("pending")),
        ("refund.updated", 20, refund("succeeded")),
        ("customer.subscription.created", 30, subscription("incomplete")),
        ("customer.subscription.updated", 30, subscription("active")),
        ("invoice.payment_failed", 30, invoice("open")),
        ("invoice.paid", 30, invoice("paid")),
    ]
    .iter()
    .map(|(kind, second, object)| told(kind, *second, object))
    .collect()
}

/// Every row of every table, without what only says when and by which event a mail was queued.
async fn everything(database: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in tables() {
        let rows = format!(
            "select (to_jsonb(t) - '{{id,event_id,created_at,updated_at,next_attempt_at}}'::text[])::text from \"{0}\" t
             where '{0}' = 'email_queue' union all
             select to_jsonb(t)::text from \"{0}\" t where '{0}' <> 'email_queue' order by 1",
            table.name
        );
        all.insert(table.name, database.column(&rows).await);
    }
    all
}

async fn write(store: &Store, handler: &impl Handler, event: &Event) {
    let changes: Vec<Change> = handler.handle(event).await.unwrap().changes;
    store.apply(&changes).await.unwrap();
}

#[tokio::test]
async fn the_declared_tables_are_those_of_the_schema() {
    let (_, database) = migrated().await;
    for table in tables() {
        let name = table.name;
        let columns = format!(
            "select column_name::text from information_schema.columns
             where table_name = '{name}' and is_generated = 'NEVER' order by 1"
        );
        let columns = database.column(&columns).await;
        let mut declared: Vec<_> = table.key.iter().chain(table.columns).map(|name| (*name).to_owned()).collect();
        declared.extend(columns.iter().filter(|column| *column == "versions").cloned());
        if name == "email_queue" {
            // The sender's own.
            let own = [
                "status",
                "attempts",
                "next_attempt_at",
                "last_error",
                "sent_at",
                "job_id",
                "created_at",
                "updated_at",
            ];
            declared.extend(own.map(str::to_owned));
        }
        declared.sort();
        assert_eq!(columns, declared, "{name}");
        let key = format!(
            "select a.attname::text from pg_index i, unnest(i.indkey) with ordinality as k (n, nth)
             join pg_attribute a on a.attnum = k.n
             where i.indrelid = '\"{name}\"'::regclass and i.indisprimary and a.attrelid = i.indrelid order by nth"
        );
        assert_eq!(database.column(&key).await, table.key, "{name}");
    }
}

#[tokio::test]
async fn any_order_of_arrival_ends_in_the_same_rows() {
    let (store, database) = migrated().await;
    supplier(&database, "acme", 1, None).await;
    supplier(&database, "later", 2, None).await;
    let handler = Stripe::new(store.clone());
    let share = json!({"platform": "x", "url": "https://shop.example.com/p/1"});
    let share = Event { body: Bytes::from(share.to_string()), ..told("social.share", 0, &Value::Null) };
    let events = story();
    let n = events.len();
    let mut expected = None;
    // Forwards, backwards, and two strides that visit all of them; each time one of them twice.
    for stride in [1, n - 1, 3, 5] {
        let names: Vec<_> = tables().map(|table| format!("\"{}\"", table.name)).collect();
        database.connect().await.batch_execute(&format!("truncate {}", names.join(", "))).await.unwrap();
        write(&store, &SocialShare, &share).await;
        for at in (0..=n).map(|i| (i * stride + stride) % n) {
            write(&store, &handler, &events[at]).await;
        }
        let found = everything(&database).await;
        assert!(found.values().all(|rows| !rows.is_empty()), "{found:?}");
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "stride {stride}");
    }
    let order = "select status || ' ' || supplier_id from \"order\" where order_id = 'order_1'";
    assert_eq!(database.column(order).await, ["refunded acme"]);
    assert_eq!(database.count("select count(*) from \"order\"").await, 1, "a payment is no order besides its own");
    let mails = database.column("select template || ' ' || status from email_queue order by 1").await;
    let expected = ["order_confirmation pending", "payment_failed pending", "payment_failed pending"];
    assert_eq!(mails, expected);
    assert_eq!(
        database.count("select count(*) from email_queue q join email_template t on t.name = q.template").await,
        3
    );
}

#[tokio::test]
async fn an_orders_status_follows_from_its_facts() {
    let (_, database) = migrated().await;
    let client = database.connect().await;
    for (order, (facts, expected)) in [
        ("", "pending"),
        ("processing_at = '2025-01-01'", "processing"),
        ("processing_at = '2025-01-01', payment_failed_at = '2025-01-02'", "payment_failed"),
        ("processing_at = '2025-01-03', payment_failed_at = '2025-01-02'", "processing"),
        ("expired_at = '2025-01-03', payment_failed_at = '2025-01-02'", "expired"),
        ("canceled_at = '2025-01-03', payment_failed_at = '2025-01-03'", "canceled"),
        ("canceled_at = '2025-01-03', processing_at = '2025-01-04'", "processing"),
        ("confirmed_at = '2025-01-01', canceled_at = '2025-01-03'", "confirmed"),
        ("confirmed_at = '2025-01-01', amount_paid = 10, amount_refunded = 0", "confirmed"),
        ("confirmed_at = '2025-01-01', amount_paid = 10, amount_refunded = 9", "partially_refunded"),
        ("confirmed_at = '2025-01-01', amount_paid = 10, amount_refunded = 10", "refunded"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("order_{order}");
        let insert = "insert into order_payment (source, account, payment_id) values ('s', '', $1)";
        client.execute(insert, &[&order]).await.unwrap();
        if !facts.is_empty() {
            let set = format!("update order_payment set {facts} where payment_id = '{order}'");
            client.batch_execute(&set).await.unwrap();
        }
        let status: String =
            client.query_one("select status from \"order\" where order_id = $1", &[&order]).await.unwrap().get(0);
        assert_eq!(status, expected, "{facts}");
    }
}

#[tokio::test]
async fn suppliers_are_chosen_by_priority_capacity_and_then_always_the_same_for_an_order() {
    let (store, database) = migrated().await;
    let chosen = async |order: &str| {
        let name = PaymentName { source: "stripe", account: "", payment_id: order, order_id: None };
        store.known_sale(&name, None).await.unwrap().supplier_id
    };
    assert_eq!(chosen("o1").await, None);
    supplier(&database, "last", 200, None).await;
    assert_eq!(chosen("o1").await.as_deref(), Some("last"));
    supplier(&database, "a", 1, None).await;
    supplier(&database, "b", 1, None).await;
    let mut by_supplier = BTreeMap::new();
    for order in (0..50).map(|n| format!("o{n}")) {
        let first = chosen(&order).await.unwrap();
        assert_eq!(chosen(&order).await.unwrap(), first, "the same again");
        *by_supplier.entry(first).or_insert(0) += 1;
    }
    assert_eq!(by_supplier.keys().collect::<Vec<_>>(), ["a", "b"], "equals share");

    let client = database.connect().await;
    client.batch_execute("update supplier set capacity = 1 where supplier_id in ('a', 'b')").await.unwrap();
    for order in ["x", "y"] {
        let supplier = chosen(order).await.unwrap();
        let insert = "insert into order_payment (source, account, payment_id, supplier_id, supplier_assigned_at)
            values ('stripe', '', $1, $2, now())";
        client.execute(insert, &[&order, &supplier]).await.unwrap();
        client.execute("update supplier set capacity = 0 where supplier_id = $1", &[&supplier]).await.unwrap();
        assert_eq!(chosen(order).await, Some(supplier), "an order keeps its supplier");
    }
    assert_eq!(chosen("z").await.as_deref(), Some("last"));
    client.batch_execute("update supplier set active = false").await.unwrap();
    assert_eq!(chosen("z").await, None);
    client
        .batch_execute("insert into stripe_customer (source, id, email) values ('stripe', 'cus_1', 'j@x.y')")
        .await
        .unwrap();
    let name = PaymentName { source: "stripe", account: "", payment_id: "z", order_id: None };
    let known = store.known_sale(&name, Some("cus_1")).await.unwrap();
    assert_eq!(known, KnownSale { customer_email: Some("j@x.y".to_owned()), ..KnownSale::default() });
}

#[tokio::test]
async fn an_order_without_a_supplier_gets_one_once_when_one_is_free() {
    let (store, database) = migrated().await;
    let client = database.connect().await;
    let paid = "insert into order_payment (source, account, payment_id, order_id, confirmed_at, amount_paid, amount_refunded)
        values ('stripe', '', 'pi_1', 'O-1', '2025-01-01', 10, null), ('stripe', '', 'pi_2', 'O-2', '2025-01-02', 10, null),
               ('stripe', '', 'pi_3', 'O-3', '2025-01-01', 10, 10), ('stripe', '', 'pi_4', 'O-4', '2025-01-03', 10, 5),
               ('stripe', '', 'pi_5', 'O-1', '2025-01-02', 10, null)";
    client.batch_execute(paid).await.unwrap();
    assert!(store.assign_suppliers().await.unwrap().is_empty(), "there is none");
    supplier(&database, "small", 1, Some(2)).await;
    let both = tokio::join!(store.assign_suppliers(), store.assign_suppliers());
    let mut given: Vec<_> = [both.0.unwrap(), both.1.unwrap()].concat();
    given.sort_by(|one, other| one.order_id.cmp(&other.order_id));
    assert_eq!(given.iter().map(|one| one.order_id.as_str()).collect::<Vec<_>>(), ["O-1", "O-2"]);
    supplier(&database, "later", 2, None).await;
    assert_eq!(store.assign_suppliers().await.unwrap().len(), 1);
    assert!(store.assign_suppliers().await.unwrap().is_empty(), "each once");
    let orders = "select concat_ws(' ', order_id, status, supplier_id) from \"order\" order by 1";
    // What was given back is not made.
    let expected = ["O-1 confirmed small", "O-2 confirmed small", "O-3 refunded", "O-4 partially_refunded later"];
    assert_eq!(database.column(orders).await, expected);
    let noted = "select concat_ws(' ', order_id, change, detail->>'supplier_id') from order_timeline order by 1";
    let expected = ["O-1 supplier_assigned small", "O-2 supplier_assigned small", "O-4 supplier_assigned later"];
    assert_eq!(database.column(noted).await, expected);
}

#[tokio::test]
async fn the_documents_views_show_events_and_their_processing() {
    let (store, database) = migrated().await;
    let event = record(&store, "stripe", "invoice.paid", r#"{"id": "evt_1"}"#).await;
    let odd = record(&store, "stripe", "odd", "no json").await;
    let client = database.connect().await;
    let insert = "insert into attempt (event_id, attempt, started_at, micros, outcome, error, worker, build)
        values ($1, 1, now(), 1000, 'permanent', '{\"message\": \"no\"}', 'w', 'b')";
    client.execute(insert, &[&event.id.uuid()]).await.unwrap();
    let row = client.query_one("select * from webhook_event where id = $1", &[&event.id.uuid()]).await.unwrap();
    let shown: (String, String, Value) = (row.get("event_type"), row.get("status"), row.get("payload"));
    assert_eq!(shown, ("invoice.paid".to_owned(), "accepted".to_owned(), json!({"id": "evt_1"})));
    let row = client.query_one("select payload from webhook_event where id = $1", &[&odd.id.uuid()]).await.unwrap();
    assert_eq!(row.get::<_, Value>(0), json!({"raw": "no json"}));
    let row = client.query_one("select * from processed_event", &[]).await.unwrap();
    let shown: (String, String, String) = (row.get("normalized_type"), row.get("status"), row.get("error_message"));
    assert_eq!(shown, ("invoice.paid".to_owned(), "permanent".to_owned(), "no".to_owned()));
    assert_eq!(row.get::<_, Value>("normalized_data")["data"], json!({"id": "evt_1"}));
}

#[tokio::test]
async fn security_events_are_listed_and_counted_since_a_time() {
    let (store, database) = migrated().await;
    let client = database.connect().await;
    let now = store.clock().now();
    for (minutes, source, address) in
        [(1, "a", "192.0.2.1"), (2, "a", "192.0.2.2"), (3, "b", "192.0.2.1"), (90, "a", "192.0.2.9")]
    {
        let at = now - SignedDuration::from_mins(minutes);
        let address: std::net::IpAddr = address.parse().unwrap();
        let insert =
            "insert into security_event (id, at, source, reason, address) values ($1, $2, $3, 'signature_wrong', $4)";
        client.execute(insert, &[&EventId::new(at).uuid(), &at, &source, &address]).await.unwrap();
    }
    let since = now - SignedDuration::from_mins(30);
    let counts = store.security_counts(since).await.unwrap();
    let counted: Vec<_> = counts.iter().map(|one| (one.source.as_str(), one.count, one.addresses)).collect();
    assert_eq!(counted, [("a", 2, 2), ("b", 1, 1)]);
    let listed = store.security_events(since, 2).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.source.as_str()).collect::<Vec<_>>(), ["a", "a"]);
    assert!(listed[0].at > listed[1].at);
}
