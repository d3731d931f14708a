//! Stripe's events, signed as Stripe signs them, through the real binaries: an order is confirmed once, given to a
//! supplier, and its customer is mailed once, whatever is repeated; what looks like an attack raises the alert.

use lychgate_tests::{
    eventually,
    http::{Reply, Request},
    sender::{now, stripe, stripe_body},
    settings::secrets::STRIPE,
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};

fn intent(order: &str) -> Value {
    json!({"id": format!("pi_{order}"), "object": "payment_intent", "amount": 2000, "amount_received": 2000, "currency": "usd",
        "customer": "cus_1", "created": now(), "status": "succeeded", "latest_charge": "ch_1",
        "receipt_email": "jane@example.com", "metadata": {"order_id": order}, "last_payment_error": null})
}

async fn send(stage: &Stage, id: &str, kind: &str, object: &Value) -> Reply {
    let reply = stage.send(&stripe(STRIPE, now(), stripe_body(id, kind, object))).await;
    assert!(reply.is_success(), "{kind}: {reply:?}");
    reply
}

#[tokio::test]
async fn a_payment_confirms_its_order_once_and_queues_one_mail() {
    let stage = Stage::set(QueueKind::Broker).await;
    let client = stage.database.connect().await;
    client.batch_execute("insert into supplier (supplier_id, name) values ('acme', 'Acme Textiles')").await.unwrap();
    let object = intent("order_1");
    let first = send(&stage, "evt_1", "payment_intent.succeeded", &object).await;
    stage.becomes(first.event_id(), "succeeded").await;

    // Stripe's own repetition is signed anew, and counts `pending_webhooks` down.
    let body = String::from_utf8(stripe_body("evt_1", "payment_intent.succeeded", &object)).unwrap();
    let body = body.replace("\"pending_webhooks\":1", "\"pending_webhooks\":0").into_bytes();
    let again = stage.send(&stripe(STRIPE, now() - 1, body)).await;
    assert_eq!((again.event_id(), again.header("idempotent-replayed")), (first.event_id(), Some("true")));
    // The checkout tells of the same payment under an event of its own.
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_order_1", "amount_total": 2000, "currency": "usd",
        "customer_details": {"email": "jane@example.com"}, "metadata": {"order_id": "order_1"}});
    let checkout = send(&stage, "evt_2", "checkout.session.completed", &session).await;
    stage.becomes(checkout.event_id(), "succeeded").await;

    let order =
        "select concat_ws(' ', status, amount_paid, currency, supplier_id) from \"order\" where order_id = 'order_1'";
    assert_eq!(stage.database.column(order).await, ["confirmed 2000 usd acme"]);
    let mail =
        "select concat_ws(' ', template, recipient, status, data->>'order_id', data->>'amount') from email_queue";
    assert_eq!(stage.database.column(mail).await, ["order_confirmation jane@example.com pending order_1 20.00 USD"]);
    let seen = "select event_type || ' ' || status from webhook_event order by received_at";
    let expected = ["payment_intent.succeeded succeeded", "checkout.session.completed succeeded"];
    assert_eq!(stage.database.column(seen).await, expected);
    assert_eq!(stage.database.count("select count(*) from processed_event where status = 'succeeded'").await, 2);
}

#[tokio::test]
async fn an_order_that_waits_for_a_supplier_gets_one_that_is_imported_later_without_a_restart() {
    let stage = Stage::set(QueueKind::Store).await;
    let paid = send(&stage, "evt_1", "payment_intent.succeeded", &intent("order_1")).await;
    stage.becomes(paid.event_id(), "succeeded").await;
    let order = "select concat_ws(' ', status, supplier_id) from \"order\"";
    assert_eq!(stage.database.column(order).await, ["confirmed"]);

    let file = stage.gateway.directory().path().join("suppliers.csv");
    std::fs::write(&file, "supplier_id,name,capacity\nacme,Acme Textiles,\n").unwrap();
    let file = file.to_str().unwrap();
    let imported = stage.lychgate(&["suppliers", "import", file]);
    assert_eq!((imported.code, imported.out.trim()), (0, r#"{"set":1,"removed":0}"#), "{imported:?}");
    let exported = "supplier_id,name,active,priority,capacity\nacme,Acme Textiles,true,100,\n";
    assert_eq!(stage.lychgate(&["suppliers", "export"]).out, exported);
    assert_eq!(
        stage.database.column("select action from audit where subject = 'suppliers'").await,
        ["suppliers.import"]
    );
    eventually("the order has a supplier", async || {
        let found = stage.database.column(order).await;
        if found == ["confirmed acme"] { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    let again = send(&stage, "evt_2", "payment_intent.succeeded", &intent("order_1")).await;
    stage.becomes(again.event_id(), "succeeded").await;
    assert_eq!(stage.database.count("select count(*) from order_history where change = 'supplier_assigned'").await, 1);
    assert_eq!(stage.database.count("select count(*) from email_queue").await, 1);

    std::fs::write(file, "supplier_id,name,capacity\nacme,,-1\n").unwrap();
    let wrong = stage.lychgate(&["suppliers", "import", file]);
    assert_eq!((wrong.code, wrong.err.contains("line 2: missing field `name`")), (2, true), "{wrong:?}");
}

#[tokio::test]
async fn what_we_have_no_use_for_is_accepted_and_ignored_and_what_cannot_be_read_is_refused_with_its_pointer() {
    let stage = Stage::set(QueueKind::Store).await;
    let odd = send(&stage, "evt_odd", "radar.early_fraud_warning.created", &json!({"id": "issfr_1"})).await;
    stage.becomes(odd.event_id(), "ignored").await;
    for (object, words) in [
        (json!({"id": "pi_1"}), "Missing /data/object/amount in payload"),
        (
            json!({"id": "pi_1", "amount": [20], "currency": "usd"}),
            "Invalid /data/object/amount in payload: it must be a whole number",
        ),
        (
            json!({"id": "pi_1", "amount": 20, "currency": 7}),
            "Invalid /data/object/currency in payload: it must be text without NUL characters, and is a number",
        ),
        (json!({"amount": 20, "currency": "usd"}), "Missing /data/object/id in payload"),
    ] {
        let body = stripe_body("evt_bad", "payment_intent.succeeded", &object);
        let bad = stage.send(&stripe(STRIPE, now(), body)).await;
        assert_eq!((bad.status, bad.detail().starts_with(words)), (400, true), "{bad:?}");
    }
    // A field that we could do without, of another type, is no reason to refuse what Stripe has to tell.
    let object = json!({"id": "pi_2", "amount": 20, "currency": "usd", "metadata": "none"});
    let odd = send(&stage, "evt_odd_field", "payment_intent.succeeded", &object).await;
    stage.becomes(odd.event_id(), "dead").await;
    let message = "select message from dead_letter";
    assert_eq!(stage.database.column(message).await, ["/data/object/metadata must be an object, and is text"]);
}

#[tokio::test]
async fn a_page_on_the_list_may_share_and_no_other_and_not_too_often() {
    let more = format!(
        "{QUICK}\n[[source]]\nname = \"shares\"\npreset = \"social-share\"\norigins = [\"https://shop.example.com\"]\n\
         client_rate_limit = {{ requests = 3, per = \"1h\" }}"
    );
    let stage = Stage::set_with(QueueKind::Store, &more).await;
    let path = "/track-social-share";
    let ask = |origin: &str| Request {
        method: "OPTIONS".into(),
        ..Request::get(path).header("Origin", origin).header("Access-Control-Request-Method", "POST")
    };
    let leave = stage.send(&ask("https://shop.example.com")).await;
    assert_eq!((leave.status, leave.header("access-control-allow-origin")), (204, Some("https://shop.example.com")));
    assert_eq!(stage.send(&ask("https://evil.example")).await.status, 403);

    let body = json!({"url": "https://shop.example.com/p/7", "content_id": 7, "referrer": "https://l.facebook.com/"});
    let share = |origin: &str| Request::post(path, body.to_string()).header("Origin", origin.as_bytes());
    let stranger = stage.send(&share("https://evil.example")).await;
    assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (403, None));
    let without = stage.send(&share("").without("Origin")).await;
    assert_eq!((without.status, without.detail().contains("Missing Origin")), (403, true));
    // A beacon says text/plain.
    let shared = stage.send(&share("https://shop.example.com").replacing("Content-Type", "text/plain")).await;
    assert_eq!((shared.status, shared.header("access-control-allow-origin")), (200, Some("https://shop.example.com")));
    stage.becomes(shared.event_id(), "succeeded").await;
    let row = "select concat_ws(' ', metric_type, dimensions->>'platform', dimensions->>'content_id', value) from analytics_record";
    assert_eq!(stage.database.column(row).await, ["social_share facebook 7 1"]);

    let limited = stage.send(&share("https://shop.example.com")).await;
    assert_eq!((limited.status, limited.header("retry-after").is_some()), (429, true));
    assert_eq!(
        limited.header("access-control-allow-origin"),
        Some("https://shop.example.com"),
        "the page can read why"
    );
}

#[tokio::test]
async fn refusals_that_look_like_an_attack_raise_the_alert() {
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}\n[security]\nthreshold = 3")).await;
    for n in 0..3 {
        let body = stripe_body(&format!("evt_{n}"), "invoice.paid", &json!({"id": "in_1"}));
        assert_eq!(stage.send(&stripe("whsec_guessed", now(), body)).await.status, 401);
    }
    let mut worker = stage.worker;
    let ops = worker.address("ops").await;
    eventually("the alert is raised", async || {
        let metrics = Request::get("/metrics").send(ops).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        let raised = text.lines().any(|line| line == "lychgate_security_alert 1");
        if raised { Ok(()) } else { Err("lychgate_security_alert is not 1".to_owned()) }
    })
    .await;
}
