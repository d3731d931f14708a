//! What operators and accidents do to RabbitMQ: alarms, cut connections, deleted and purged queues, wrong arguments, full
//! queues, bindings and permissions gone. Each is a delay and a word in `/readyz`, never an event.

use std::sync::atomic::{AtomicBool, Ordering};

use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use lychgate_tests::{
    Broker, Database, Node, Process, eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::{hex_sha256, platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, QueueKind, Stage},
    unique,
};

/// Of the source that forwards.
const SHOP: &str = "shop-secret-0123456789abcdef";

async fn accept(stage: &Stage, events: std::ops::Range<usize>) {
    for n in events {
        let request = platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
        let reply = stage.send(&request).await;
        assert!(reply.is_success(), "event {n}: {reply:?}\n{}", stage.gateway.output());
    }
}

/// Every event has succeeded, at its first attempt, with its effect.
async fn all_succeed(stage: &Stage, count: i64) {
    eventually("everything is processed", async || {
        match stage.database.count("select count(*) from event_state where status = 'succeeded'").await {
            done if done == count => Ok(()),
            done => Err(format!("{done} of {count}")),
        }
    })
    .await;
    assert_eq!(stage.database.count("select count(*) from platform_user").await, count);
    assert_eq!(stage.database.count("select count(*) from attempt where attempt > 1").await, 0, "no attempt is burnt");
}

/// `/readyz` says 200, and this of the queue.
async fn says(process: &mut Process, words: &str) {
    let ops = process.address("ops").await;
    eventually(&format!("/readyz says {words:?}"), async || {
        let reply = Request::get("/readyz").send(ops).await.map_err(|error| error.to_string())?;
        let said = reply.json()["checks"]["queue"].to_string();
        if reply.status == 200 && said.contains(words) { Ok(()) } else { Err(format!("{reply:?}")) }
    })
    .await;
}

/// Asked over AMQP: what `rabbitmqctl` lists of a quorum queue is some seconds old.
async fn ready_messages(broker: &Broker, queue: &str) -> u32 {
    let channel = broker.connect().await.create_channel().await.unwrap();
    let passive = QueueDeclareOptions::default().passive();
    channel.queue_declare(queue.into(), passive, FieldTable::default()).await.unwrap().message_count()
}

#[tokio::test]
async fn during_an_alarm_events_are_accepted_and_afterwards_processed() {
    let node = Node::start().await;
    let mut stage = Stage::on(Database::fresh().await, Some(&node.url()), QUICK).await;
    accept(&stage, 0..5).await;
    all_succeed(&stage, 5).await;
    let alarms = [
        (["set_vm_memory_high_watermark", "0.00001"], ["set_vm_memory_high_watermark", "0.6"]),
        (["set_disk_free_limit", "999GB"], ["set_disk_free_limit", "1MB"]),
    ];
    for (round, (raise, end)) in alarms.iter().enumerate() {
        let first = 5 + round * 20;
        node.control(raise).await;
        accept(&stage, first..first + 10).await;
        says(&mut stage.gateway, "alarm").await;
        accept(&stage, first + 10..first + 20).await;
        node.control(end).await;
        says(&mut stage.gateway, "\"up\"").await;
        all_succeed(&stage, i64::try_from(first + 20).unwrap()).await;
    }
}

#[tokio::test]
async fn cut_connections_and_a_deleted_main_queue_lose_nothing() {
    let mut stage = Stage::set(QueueKind::Broker).await;
    let broker = stage.broker.clone().unwrap();
    accept(&stage, 0..5).await;
    broker.control("close_all_connections", &["a test"]).await;
    accept(&stage, 5..20).await;
    all_succeed(&stage, 20).await;

    // With nobody to take them, ten wait in the queue that is then deleted with them.
    stage.worker.signal(rustix::process::Signal::KILL);
    stage.worker.ended().await;
    accept(&stage, 20..30).await;
    eventually("they wait in the queue", async || match ready_messages(&broker, "lychgate.v1.main.s00").await {
        10 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    broker.control("delete_queue", &["lychgate.v1.main.s00"]).await;
    accept(&stage, 30..40).await;
    stage.worker = stage::worker(&stage.settings);
    all_succeed(&stage, 40).await;
}

/// A source whose events are forwarded to somebody who is busy until told otherwise.
struct Shop {
    stage: Stage,
    broker: Broker,
    open: std::sync::Arc<AtomicBool>,
    _receiver: Receiver,
}

impl Shop {
    /// `schedule` and `grace` decide what may bring an event back: its level, or the sweeper.
    async fn set(schedule: &str, grace: &str) -> Self {
        let open = std::sync::Arc::new(AtomicBool::new(false));
        let opened = std::sync::Arc::clone(&open);
        let answer = move |_: &_| Answer::status(if opened.load(Ordering::Relaxed) { 200 } else { 503 });
        let receiver = Receiver::start(answer).await;
        let settings = QUICK
            .replace(r#"["100ms", "200ms", "300ms", "400ms", "500ms"]"#, schedule)
            .replace("grace = \"2s\"", &format!("grace = {grace:?}"));
        let source = format!(
            "{settings}\n[forward]\ntimeout = \"2s\"\n[[source]]\nname = \"shop\"\npath = \"/in/shop\"\nsecrets = [{SHOP:?}]\nrate_limit = \"off\"\n\
             forward = [{:?}]\nforward_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nforward_private = true\n",
            receiver.url()
        );
        let stage = Stage::set_with(QueueKind::Broker, &source).await;
        let broker = stage.broker.clone().unwrap();
        // Once one event has come through, everything is declared and connected.
        let first = stage.send(&platform(PLATFORM, platform_user_created("first", "first"))).await.event_id();
        stage.becomes(first, "succeeded").await;
        Self { stage, broker, open, _receiver: receiver }
    }

    async fn order(&self) -> uuid::Uuid {
        let body = format!("{{\"order\": \"{}\"}}", unique());
        let signature = hex_sha256(SHOP.as_bytes(), body.as_bytes());
        let request = Request::post("/in/shop", body)
            .header("X-Webhook-Signature", signature)
            .header("X-Webhook-Event", "order.paid")
            .header("Idempotency-Key", unique());
        self.stage.send(&request).await.event_id()
    }
}

#[tokio::test]
async fn a_retry_whose_way_back_is_unbound_is_found_among_the_orphans_and_processed() {
    // The sweeper's own grace is out of reach: only the orphan queue can bring it back.
    let mut shop = Shop::set(r#"["300ms", "600ms", "900ms", "1200ms", "1500ms"]"#, "1h").await;
    let channel = shop.broker.connect().await.create_channel().await.unwrap();
    let (main, back) = ("lychgate.v1.main.s00", "lychgate.v1.return");
    channel.queue_unbind(main.into(), back.into(), "*.s00".into(), FieldTable::default()).await.unwrap();
    let id = shop.order().await;
    eventually("the stray is found", async || {
        match shop.stage.worker.metric("lychgate_stray_messages_total", &[]).await {
            0.0 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    shop.open.store(true, Ordering::Relaxed);
    shop.stage.becomes(id, "succeeded").await;
    assert_eq!(ready_messages(&shop.broker, "lychgate.v1.orphan.q").await, 0);
}

#[tokio::test]
async fn a_retry_whose_level_is_purged_or_deleted_is_published_again_when_it_is_due() {
    let shop = Shop::set(r#"["3s", "4s", "5s", "6s", "7s"]"#, "1s").await;
    let level = "lychgate.v1.retry.3s";
    for command in ["purge_queue", "delete_queue"] {
        shop.open.store(false, Ordering::Relaxed);
        let id = shop.order().await;
        eventually("it waits on its level", async || match ready_messages(&shop.broker, level).await {
            0 => Err("empty".to_owned()),
            _ => Ok(()),
        })
        .await;
        shop.broker.control(command, &[level]).await;
        shop.open.store(true, Ordering::Relaxed);
        shop.stage.becomes(id, "succeeded").await;
    }
}

#[tokio::test]
async fn a_full_main_queue_is_a_delay() {
    let mut stage = Stage::set(QueueKind::Broker).await;
    let broker = stage.broker.clone().unwrap();
    accept(&stage, 0..1).await;
    all_succeed(&stage, 1).await;
    stage.worker.signal(rustix::process::Signal::KILL);
    stage.worker.ended().await;
    broker.control("set_policy", &["full", "main", r#"{"max-length":5}"#]).await;
    accept(&stage, 1..41).await;
    eventually("publishes are refused, and their events marked", async || {
        match stage.database.count("select count(*) from event_state where due_at = '-infinity'").await {
            0 => Err("none yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    says(&mut stage.gateway, "\"up\"").await;
    // It sweeps into a queue that is still full now and then, until all of them have come through.
    stage.worker = stage::worker(&stage.settings);
    all_succeed(&stage, 41).await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_named_and_the_gateway_accepts_until_it_is_gone() {
    let (database, broker) = (Database::fresh().await, Broker::fresh().await);
    let channel = broker.connect().await.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(99));
    let level = "lychgate.v1.retry.100ms";
    channel.queue_declare(level.into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    let mut stage = Stage::on(database, Some(&broker.url()), QUICK).await;
    says(&mut stage.gateway, "`lychgate.v1.retry.100ms` exists with other arguments").await;
    accept(&stage, 0..10).await;
    let verified = stage.lychgate(&["topology", "verify"]);
    assert!(verified.code == 1 && verified.out.contains(level), "{verified:?}");
    broker.control("delete_queue", &[level]).await;
    says(&mut stage.gateway, "\"up\"").await;
    all_succeed(&stage, 10).await;
}

#[tokio::test]
async fn permissions_that_are_taken_away_and_given_back_are_a_delay() {
    let mut stage = Stage::set(QueueKind::Broker).await;
    let broker = stage.broker.clone().unwrap();
    accept(&stage, 0..5).await;
    all_succeed(&stage, 5).await;
    broker.control("clear_permissions", &["guest"]).await;
    broker.control("close_all_connections", &["a test"]).await;
    accept(&stage, 5..15).await;
    says(&mut stage.gateway, "degraded").await;
    accept(&stage, 15..25).await;
    broker.control("set_permissions", &["guest", ".*", ".*", ".*"]).await;
    all_succeed(&stage, 25).await;
    says(&mut stage.gateway, "\"up\"").await;
}
