//! Settling waits for nobody but the database: handlers go on meanwhile, and what has gathered is one transaction.
//!
//! The history's table is locked until every delivery has been made, by a worker that runs one handler at a time.

use lychgate_tests::{
    fact::eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::hex_sha256,
    stage::{QueueKind, Stage},
    unique,
};

const SECRET: &str = "shop-secret-0123456789abcdef";
const EVENTS: usize = 24;

const ONE_AT_A_TIME: &str = r#"
[worker]
concurrency = 1
prefetch = 40
"#;

on_both!(a_handler_does_not_wait_for_another_events_commit);

async fn a_handler_does_not_wait_for_another_events_commit(kind: QueueKind) {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let source = format!(
        "{ONE_AT_A_TIME}[[source]]\nname = \"shop\"\npath = \"/in/shop\"\nsecrets = [{SECRET:?}]\nforward = [{:?}]\n\
         forward_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nforward_private = true\n",
        receiver.url()
    );
    let stage = Stage::set_with(kind, &source).await;
    let mut database = stage.database.connect().await;
    let lock = database.transaction().await.unwrap();
    lock.batch_execute("lock table attempt in exclusive mode").await.unwrap();
    for _ in 0..EVENTS {
        assert!(stage.send(&webhook()).await.is_success());
    }
    eventually("everything is delivered, and nothing settled", async || match receiver.seen().len() {
        EVENTS => Ok(()),
        some => Err(some.to_string()),
    })
    .await;
    lock.rollback().await.unwrap();

    eventually("everything is settled", async || {
        match stage.database.count("select count(*) from event_state where status = 'succeeded'").await {
            all if all == EVENTS as i64 => Ok(()),
            some => Err(some.to_string()),
        }
    })
    .await;
    assert_eq!(receiver.seen().len(), EVENTS, "each once");
    let largest = "select max(n) from (select count(*) n from attempt group by xmin::text) t";
    let largest = stage.database.count(largest).await;
    assert!(largest >= EVENTS as i64 / 3, "at most {largest} attempts were settled together");
}

fn webhook() -> Request {
    let body = br#"{"n": 1}"#;
    Request::post("/in/shop", body)
        .header("X-Webhook-Signature", hex_sha256(SECRET.as_bytes(), body))
        .header("X-Webhook-Event", "order.paid")
        .header("Idempotency-Key", unique())
}
