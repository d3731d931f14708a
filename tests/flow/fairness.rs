//! A noisy source with a slow handler does not starve a quiet one, whichever queue stands behind the worker.
//!
//! What counts is the order of events, not time: the quiet source's event came last, and is processed while most of the
//! noisy source's are still waiting.

use std::time::Duration;

use lychgate_tests::{
    fact::eventually_within,
    http::Request,
    receiver::{Answer, Receiver},
    sender::hex_sha256,
    stage::{QueueKind, Stage},
    unique,
};

const SECRET: &str = "shop-secret-0123456789abcdef";
const FORWARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// More than ten times what the worker may run at once.
const NOISE: usize = 48;

const NARROW: &str = r#"
[retry]
schedule = ["100ms", "200ms", "300ms", "400ms", "500ms"]
[worker]
concurrency = 4
handler_deadline = "6s"
lease = "60s"
[forward]
timeout = "3s"
breaker_failures = 1000
"#;

fn source(name: &str, to: &str) -> String {
    format!(
        "[[source]]\nname = {name:?}\npath = \"/in/{name}\"\nsecrets = [{SECRET:?}]\nforward = [{to:?}]\n\
         forward_secret = {FORWARD_SECRET:?}\nforward_private = true\n"
    )
}

fn webhook(name: &str) -> Request {
    let body = br#"{"n": 1}"#;
    Request::post(&format!("/in/{name}"), body)
        .header("X-Webhook-Signature", hex_sha256(SECRET.as_bytes(), body))
        .header("X-Webhook-Event", "order.paid")
        .header("Idempotency-Key", unique())
}

on_both!(a_noisy_source_does_not_starve_a_quiet_one);

async fn a_noisy_source_does_not_starve_a_quiet_one(kind: QueueKind) {
    let slow = Receiver::start(|_| Answer { after: Duration::from_secs(1), ..Answer::status(200) }).await;
    let quick = Receiver::start(|_| Answer::status(200)).await;
    let sources = format!("{NARROW}{}{}", source("noisy", &slow.url()), source("quiet", &quick.url()));
    let stage = Stage::set_with(kind, &sources).await;
    for _ in 0..NOISE {
        assert!(stage.send(&webhook("noisy")).await.is_success());
    }
    let id = stage.send(&webhook("quiet")).await.event_id();
    stage.becomes(id, "succeeded").await;
    let finished = "select count(*) from event_state where source = 'noisy' and finished_at is not null";
    let before = stage.database.count(finished).await;
    let noise = i64::try_from(NOISE).unwrap();
    assert!(before < noise - 12, "the quiet event waited behind {before} of {NOISE}");
    // The noisy one is not punished for it: its events go on being delivered, each of them once.
    eventually_within(Duration::from_secs(60), "all of the noise is delivered", async || {
        match stage.database.count(finished).await {
            all if all == noise => Ok(()),
            some => Err(some.to_string()),
        }
    })
    .await;
    assert_eq!(slow.seen().len(), NOISE);
}
