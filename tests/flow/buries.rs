//! What kills its worker, and what strays from the queue, ends where an operator finds it, and harms nobody else.

use std::time::Duration;

use lapin::{BasicProperties, options::BasicPublishOptions};
use lychgate_tests::{
    eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::{hex_sha256, platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, QueueKind, Stage},
    unique,
};

const SECRET: &str = "shop-secret-0123456789abcdef";

/// A destination that never answers within a test.
const NEVER: Duration = Duration::from_secs(600);

/// Whoever works on the event of this source is killed in the middle of it.
#[tokio::test]
async fn an_event_that_kills_its_workers_is_buried_and_the_next_worker_lives() {
    let grave = Receiver::start(|_| Answer { after: NEVER, ..Answer::status(200) }).await;
    let source = format!(
        "{QUICK}[forward]\ntimeout = \"2s\"\n[[source]]\nname = \"grave\"\npath = \"/in/grave\"\nsecrets = [{SECRET:?}]\nforward = [{:?}]\n\
         forward_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nforward_private = true\n",
        grave.url()
    );
    // The sweeper's copies come too late to meddle.
    let source = source.replace("grace = \"2s\"", "grace = \"1h\"");
    let mut stage = Stage::set_with(QueueKind::Broker, &source).await;
    let body = br#"{"n": 1}"#;
    let request = Request::post("/in/grave", body)
        .header("X-Webhook-Signature", hex_sha256(SECRET.as_bytes(), body))
        .header("X-Webhook-Event", "order.paid")
        .header("Idempotency-Key", unique());
    let id = stage.send(&request).await.event_id();
    let mut killed = 0;
    let status = format!("select status::text from event_state where id = '{id}'");
    loop {
        let dead = eventually("another worker takes it, or it is buried", async || {
            match (stage.database.column(&status).await.first().map(String::as_str), grave.seen().len()) {
                (Some("dead"), _) => Ok(true),
                (_, seen) if seen > killed => Ok(false),
                (status, seen) => Err(format!("{status:?}, run {seen} times")),
            }
        })
        .await;
        if dead {
            break;
        }
        killed = grave.seen().len();
        let next = stage::worker(&stage.settings);
        std::mem::replace(&mut stage.worker, next).kill9();
        stage.worker.ready().await;
    }
    // The first run was not counted: nobody could know. Then `worker.starts` (3) were.
    assert_eq!(killed, 4);
    let class = format!("select class from dead_letter where event_id = '{id}'");
    assert_eq!(stage.database.column(&class).await, ["poison"]);
    let other = stage.send(&platform(PLATFORM, platform_user_created("after", "after"))).await.event_id();
    stage.becomes(other, "succeeded").await;
}

#[tokio::test]
async fn junk_on_the_queue_is_buried_and_its_neighbours_are_processed() {
    let mut stage = Stage::set(QueueKind::Broker).await;
    // Once one event has come through, everything is declared and connected.
    let first = stage.send(&platform(PLATFORM, platform_user_created("before", "before"))).await.event_id();
    stage.becomes(first, "succeeded").await;
    let broker = stage.broker.as_ref().unwrap();
    let channel = broker.connect().await.create_channel().await.unwrap();
    let publish = async |exchange: &str, key: &str, body: &[u8], properties: BasicProperties| {
        let options = BasicPublishOptions::default();
        channel.basic_publish(exchange.into(), key.into(), options, body, properties).await.unwrap().await.unwrap();
    };
    publish("lychgate.v1.ingest", "s00", b"junk", BasicProperties::default()).await;
    eventually("the stray is seen", async || match stage.worker.metric("lychgate_stray_messages_total", &[]).await {
        0.0 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    let other = stage.send(&platform(PLATFORM, platform_user_created("after", "after"))).await.event_id();
    stage.becomes(other, "succeeded").await;
}
