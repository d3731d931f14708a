//! SIGTERM drains: every request gets its answer, every event keeps its attempts.

use std::{sync::Arc, time::Duration};

use lychgate_tests::{
    Database, Directory, Node, eventually,
    http::{Connection, Request},
    ledger::{EFFECTS, Ledger, Outcome, watch_effects},
    load::{Load, Target},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QueueKind, Stage},
};

fn build(n: usize) -> (String, Request) {
    let key = format!("user_{n:06}");
    let request = platform(PLATFORM, platform_user_created(&key, &key));
    (key, request)
}

async fn a_rolling_restart(kind: QueueKind) {
    let mut stage = Stage::set(kind).await;
    watch_effects(&stage.database).await;
    let directory = Directory::new("ledger");
    let ledger = Arc::new(Ledger::open(directory.path(), "platform"));
    let target = Target::new(stage.address);
    let load = Load::start(target.clone(), 8, Arc::clone(&ledger), Arc::new(build));
    load.more(200).await;

    // As a rolling restart does it: the new one is ready, traffic is led there, then the old one is told.
    let mut next = stage::gateway(&stage.settings);
    next.ready().await;
    target.set(next.address("listen").await);
    let old = std::mem::replace(&mut stage.gateway, next);
    let ended = old.stop().await;
    assert!(ended.success(), "{ended}");
    load.more(200).await;

    let next = stage::worker(&stage.settings);
    let old = std::mem::replace(&mut stage.worker, next);
    let ended = old.stop().await;
    assert!(ended.success(), "{ended}");
    load.more(200).await;
    let unclear = load.unclear();
    load.stop().await;

    ledger.check(&stage.database, EFFECTS).await;
    assert_eq!(ledger.count(Outcome::Unknown), 0, "every request was answered: {unclear:#?}");
    let burnt = "select count(*) from attempt where attempt > 1 or outcome <> 'succeeded'";
    assert_eq!(stage.database.count(burnt).await, 0, "stopping costs no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_leaves_no_request_unanswered_and_burns_no_attempt_over_the_store() {
    a_rolling_restart(QueueKind::Store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_leaves_no_request_unanswered_and_burns_no_attempt_over_rabbitmq() {
    a_rolling_restart(QueueKind::Broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_gateway_publishes_what_it_has_accepted_and_leaves_nothing_to_the_sweeper() {
    let rarely = "[sweep]\ngrace = \"10m\"\ninterval = \"1h\"\n[gateway]\nrefused_rate = \"off\"\n";
    let mut stage = Stage::set_with(QueueKind::Broker, rarely).await;
    // A gateway that has just started waits for RabbitMQ's first word, so this holds from the first request on.
    let requests: Vec<_> = (0..600).map(|n| build(n).1).collect();
    let replies = futures_util::future::join_all(requests.iter().map(|request| stage.send(request))).await;
    assert!(replies.iter().all(lychgate_tests::http::Reply::is_success));
    stage.gateway.signal(rustix::process::Signal::TERM);
    let ended = stage.gateway.ended().await;
    assert!(ended.success(), "{ended}");
    eventually("everything is processed", async || {
        match stage.database.count("select count(*) from event_state where finished_at is null").await {
            0 => Ok(()),
            open => Err(format!("{open} are open")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_stopping_gateway_waits_for_the_brokers_verdict_on_what_it_has_accepted() {
    let node = Node::start().await;
    let database = Database::fresh().await;
    // No verdict is given up on while the broker is frozen.
    let settings = stage::settings(database.url(), Some(&node.url())).with("publish_deadline = \"30s\"").with_sources();
    let mut gateway = stage::gateway(&settings);
    gateway.ready().await;
    let (address, ops) = (gateway.address("listen").await, gateway.address("ops").await);
    assert!(build(1).1.send(address).await.unwrap().is_success());
    eventually("the first is published", async || {
        match gateway.metric("lychgate_published_total", &[("outcome", "confirmed")]).await {
            1.0 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    node.freeze();
    assert!(build(2).1.send(address).await.unwrap().is_success());
    gateway.signal(rustix::process::Signal::TERM);
    eventually("the gateway takes no connections any more", async || match Connection::open(address).await {
        Ok(_) => Err("it does".to_owned()),
        Err(_) => Ok(()),
    })
    .await;
    // Longer than it takes to close a connection that says nothing.
    stage::let_it_bite(Duration::from_secs(3)).await;
    assert!(Request::get("/livez").send(ops).await.is_ok(), "it waits: {}", gateway.output());
    node.wake();
    let ended = gateway.ended().await;
    assert!(ended.success(), "{ended}");
    let unpublished = "select count(*) from event_state where due_at = '-infinity'";
    assert_eq!(database.count(unpublished).await, 0, "{}", gateway.output());
}

#[tokio::test]
async fn a_request_that_is_arriving_when_the_gateway_stops_is_answered() {
    let mut stage = Stage::set(QueueKind::Store).await;
    let (_, request) = build(1);
    let mut connection = Connection::open(stage.address).await.unwrap();
    connection.write(&request.head()).await.unwrap();
    connection.write(&request.body[..20]).await.unwrap();
    let ops = stage.gateway.address("ops").await;
    // The head has been taken in when an answer to a later request on another connection is there.
    assert!(stage.send(&build(2).1).await.is_success());
    stage.gateway.signal(rustix::process::Signal::TERM);
    eventually("the gateway says that it is stopping", async || match Request::get("/readyz").send(ops).await {
        Ok(reply) if reply.status == 200 => Err(format!("{reply:?}")),
        Ok(_) | Err(_) => Ok(()),
    })
    .await;
    connection.write(&request.body[20..]).await.unwrap();
    let reply = connection.read().await.unwrap();
    assert!(reply.is_success(), "{reply:?}");
    let ended = stage.gateway.ended().await;
    assert!(ended.success(), "{ended}");
    stage.becomes(reply.event_id(), "succeeded").await;
}

#[tokio::test]
async fn a_worker_that_a_defect_has_left_without_work_ends_instead_of_looking_alive() {
    let mut stage = Stage::set(QueueKind::Store).await;
    stage.worker.signal(rustix::process::Signal::KILL);
    stage.worker.ended().await;
    assert!(stage.send(&build(1).1).await.is_success());
    // What no build of ours would read: its reader panics.
    let change = "alter table event_state alter column climbed type int";
    stage.database.connect().await.batch_execute(change).await.unwrap();
    stage.worker = stage::worker(&stage.settings);
    let ended = stage.worker.ended().await;
    assert_eq!(ended.code(), Some(1), "{}", stage.worker.output());
    assert!(stage.worker.output().contains("the queue has ended by itself"), "{}", stage.worker.output());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let mut stage = Stage::set(QueueKind::Store).await;
    let (_, request) = build(1);
    let mut connection = Connection::open(stage.address).await.unwrap();
    connection.write(&request.head()).await.unwrap();
    let ops = stage.gateway.address("ops").await;
    stage.gateway.signal(rustix::process::Signal::TERM);
    eventually("the gateway is stopping", async || match Request::get("/readyz").send(ops).await {
        Ok(reply) if reply.status == 200 => Err(format!("{reply:?}")),
        Ok(_) | Err(_) => Ok(()),
    })
    .await;
    stage.gateway.signal(rustix::process::Signal::TERM);
    stage.gateway.ended().await;
    let answer = connection.read().await;
    assert!(answer.is_err(), "it did not wait for the request under way: {answer:?}");
}
