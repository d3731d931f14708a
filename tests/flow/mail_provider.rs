//! Mails leave the house by a provider's HTTP interface, tried against a server that holds to Resend's reference: bearer
//! key, `POST /emails`, an `Idempotency-Key` under which a mail is sent once, errors as `{statusCode, name, message}`.

use std::{collections::HashMap, sync::Mutex};

use lychgate_tests::{
    eventually,
    receiver::{Answer, Received, Receiver},
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};

const KEY: &str = "re_0123456789";

/// What has been sent under which key.
type Sent = Mutex<HashMap<String, (Value, Value)>>;

fn refused(status: u16, name: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"statusCode": status, "name": name, "message": message}))
}

fn answered(sent: &Sent, asked: &Received) -> Answer {
    if (asked.method.as_str(), asked.path.as_str()) != ("POST", "/emails") {
        return refused(404, "not_found", "The requested endpoint does not exist");
    }
    match asked.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        None => return refused(401, "missing_api_key", "Missing API key in the authorization header"),
        Some(KEY) => {}
        Some(_) => return refused(403, "invalid_api_key", "API key is invalid"),
    }
    let Ok(body) = serde_json::from_slice::<Value>(&asked.body) else {
        return refused(400, "validation_error", "no JSON");
    };
    for field in ["from", "to", "subject"] {
        if body.get(field).is_none_or(Value::is_null) {
            return refused(422, "missing_required_field", &format!("Missing `{field}` field."));
        }
    }
    if body["to"] == json!(["bounced@example.com"]) {
        return refused(422, "validation_error", "Invalid `to` field");
    }
    let key = asked.header("idempotency-key").unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > 256 {
        return refused(400, "invalid_idempotency_key", "The key must be between 1-256 chars");
    }
    let mut sent = sent.lock().unwrap();
    let count = sent.len();
    let (first, answer) = sent.entry(key).or_insert_with(|| (body.clone(), json!({"id": format!("mail-{count}")})));
    if *first != body {
        return refused(
            409,
            "invalid_idempotent_request",
            "Same idempotency key used with a different request payload",
        );
    }
    Answer::json(200, answer)
}

async fn stage(server: &Receiver, key: &str) -> Stage {
    let settings = format!(
        "{QUICK}\n[mail]\nby = \"api\"\nfrom = \"orders@acme.example\"\napi_key = {key:?}\napi_url = {:?}\nallow_private = true\n\
         timeout = \"2s\"\npoll = \"100ms\"\nbreaker_failures = 1000",
        server.url()
    );
    Stage::set_with(QueueKind::Store, &settings).await
}

async fn queue(stage: &Stage, recipient: &str) {
    let insert = "insert into email_queue (template, recipient, data) values ('quote_submission', $1, $2)";
    let data = json!({"name": "Jane", "quote_id": "Q-7"});
    stage.database.connect().await.execute(insert, &[&recipient, &data]).await.unwrap();
}

async fn rows_become(stage: &Stage, expected: &[&str]) {
    let rows = "select concat_ws(' ', recipient, status, attempts) from email_queue order by 1";
    eventually(&format!("the mails are {expected:?}"), async || {
        let found = stage.database.column(rows).await;
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_busy_or_loses_its_answer_gets_each_mail_again_and_sends_it_once() {
    let (sent, calls) = (Sent::default(), Mutex::new(0));
    let server = Receiver::start(move |asked| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        match *calls {
            1 => refused(429, "rate_limit_exceeded", "Too many requests").header("retry-after", "1"),
            // It has sent the mail, and its answer does not arrive.
            2 => Answer { status: 502, ..answered(&sent, asked) },
            _ => answered(&sent, asked),
        }
    })
    .await;
    let stage = stage(&server, KEY).await;
    queue(&stage, "jane@example.com").await;
    rows_become(&stage, &["jane@example.com sent 3"]).await;
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let id = stage.database.column("select id::text from email_queue").await.remove(0);
    for asked in &seen {
        assert_eq!(asked.header("idempotency-key"), Some(id.as_str()));
        assert_eq!(asked.body, seen[0].body, "the same mail to the byte");
    }
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!((&body["from"], &body["to"]), (&json!("orders@acme.example"), &json!(["jane@example.com"])));
    assert_eq!(body["subject"], "We have received your request for a quote");
    let waited = "select (b.started_at - a.started_at >= interval '1 second')::text from attempt a join attempt b using (event_id)
        where a.attempt = 1 and b.attempt = 2";
    assert_eq!(stage.database.column(waited).await, ["true"], "not before the time that it asked for");
    let classes = "select class from attempt where class is not null order by attempt";
    assert_eq!(stage.database.column(classes).await, ["mail_limited", "mail_failing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_provider_refuses_is_a_dead_letter_and_a_refused_key_is_no_mails_fault() {
    let sent = Sent::default();
    let server = Receiver::start(move |asked| answered(&sent, asked)).await;
    let good = stage(&server, KEY).await;
    queue(&good, "bounced@example.com").await;
    queue(&good, "jane@example.com").await;
    rows_become(&good, &["bounced@example.com failed 1", "jane@example.com sent 1"]).await;
    let shown = "select error->>'stack' from dead_letter";
    let stack = good.database.column(shown).await.remove(0);
    assert!(stack.contains("answered 422") && stack.contains("Invalid `to` field"), "{stack}");

    let other = stage(&server, "re_wrong_0123456789").await;
    queue(&other, "jane@example.com").await;
    rows_become(&other, &["jane@example.com failed 6"]).await;
    let classes = "select distinct class || ' ' || (error->>'message') from attempt";
    let said = "mail_login the mail provider answered 403 Forbidden: see mail.api_key and mail.from";
    assert_eq!(other.database.column(classes).await, [said]);
    assert!(!other.worker.output().contains("re_wrong"), "the key is not logged");
}
