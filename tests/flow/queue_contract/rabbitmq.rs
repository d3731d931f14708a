//! Promises that only RabbitMQ can break: routing, levels, topology, the dead, replies.

use std::time::Instant;

use lapin::{BasicProperties, options::BasicPublishOptions};
use lychgate_common::queue::{
    QueueState,
    broker::{Outcome, StrayQueue},
};

use super::*;

fn to(shard: i16, route: Route, count: usize) -> Vec<(Message, Route)> {
    (0..count).map(|_| (message(shard), route)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_delays_and_the_message_returns_to_its_own_shard() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let broker = up(settings(&server.url(), 2), &stop).await;
    let queue = Queue::Broker(broker);
    let mut deliveries = queue.consume(Intake { prefetch: 20, lease: PATIENCE }, stop.clone());
    let start = Instant::now();
    let mut batch = to(0, Route::Level(0), 5);
    batch.extend(to(1, Route::Level(0), 5));
    let sent: BTreeSet<_> = batch.iter().map(|(message, _)| (message.id(), message.shard)).collect();
    assert_eq!(queue.publish(batch).await, vec![Published::Confirmed; 10]);
    let mut came = BTreeSet::new();
    for _ in 0..10 {
        let delivery = next(&mut deliveries).await;
        assert!(start.elapsed() >= LEVEL, "a level let go too early");
        assert!(!delivery.redelivered, "a retry is no redelivery");
        came.insert((delivery.message.id(), delivery.message.shard));
        delivery.receipt.done();
    }
    assert_eq!(came, sent);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_unroutable_ones_of_a_batch_are_returned_and_the_queue_is_declared_again() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let broker = up(settings(&server.url(), 2), &stop).await;
    let queue = Queue::Broker(broker.clone());
    server.control("delete_queue", &["lychgate.v1.main.s01"]).await;
    let mut batch: Vec<_> = (0..200).map(|number| (message(number % 2), Route::Main)).collect();
    batch.push((message(0), Route::Level(7)));
    let mut expected: Vec<_> =
        (0..200).map(|number| if number % 2 == 0 { Published::Confirmed } else { Published::Returned }).collect();
    expected.push(Published::Returned);
    assert_eq!(queue.publish(batch).await, expected);
    eventually("the queue is declared again", async || match queue.publish(to(1, Route::Main, 1)).await.as_slice() {
        [Published::Confirmed] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    becomes_up(&broker).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let broker = up(settings(&server.url(), 1), &stop).await;
    server.control("set_policy", &["full", "main", r#"{"max-length":5}"#]).await;
    let queue = Queue::Broker(broker.clone());
    eventually("a publish is refused", async || {
        let outcomes = queue.publish(to(0, Route::Main, 50)).await;
        assert!(outcomes.iter().all(|one| matches!(one, Published::Confirmed | Published::Refused)), "{outcomes:?}");
        if outcomes.contains(&Published::Refused) { Ok(()) } else { Err("all confirmed".to_owned()) }
    })
    .await;
    assert!(broker.state().is_up(), "a full queue is no reason to give up the connection");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_batch_is_published_at_once_and_counted_right() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let broker = up(settings(&server.url(), 1), &stop).await;
    let main = message(0).shard;
    let soon = Clock::system().now() + Duration::from_secs(60);
    assert_eq!(broker.drained_until(main, soon).await, Some(soon), "an empty queue has drained past everything");
    let outcomes = Queue::Broker(broker.clone()).publish(to(0, Route::Main, 1700)).await;
    assert_eq!(outcomes, vec![Published::Confirmed; 1700]);
    eventually("the depth is seen", async || {
        let depths = broker.depths().await.map_err(|error| error.to_string())?;
        let main = depths.iter().find(|depth| depth.queue.ends_with("main.s00")).unwrap();
        if main.ready == 1700 { Ok(()) } else { Err(format!("{main:?}")) }
    })
    .await;
    eventually("the queue has not drained past what waits in it", async || {
        match broker.drained_until(main, soon).await {
            None => Ok(()),
            Some(until) => Err(format!("drained until {until}")),
        }
    })
    .await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ttl_is_a_clear_complaint_and_heals_when_the_queue_is_gone() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let mut other = settings(&server.url(), 1);
    RabbitMq::apply(&other).await.unwrap();
    // The same name with another TTL, as a changed build would have it.
    server.control("delete_queue", &["lychgate.v1.retry.300ms"]).await;
    let channel = server.connect().await.create_channel().await.unwrap();
    let mut arguments = lapin::types::FieldTable::default();
    arguments.insert("x-queue-type".into(), lapin::types::AMQPValue::LongString("quorum".into()));
    arguments.insert("x-message-ttl".into(), lapin::types::AMQPValue::LongLongInt(299));
    let durable = lapin::options::QueueDeclareOptions::durable();
    channel.queue_declare("lychgate.v1.retry.300ms".into(), durable, arguments).await.unwrap();

    let findings = RabbitMq::verify(&other).await.unwrap();
    let wrong: Vec<_> = findings.iter().filter(|finding| finding.outcome.is_wrong()).collect();
    assert!(matches!(wrong.as_slice(), [one] if matches!(one.outcome, Outcome::Mismatch(_))), "{wrong:?}");

    other.publish_deadline = PATIENCE;
    let broker = RabbitMq::open(other, &Clock::system(), stop.clone()).unwrap();
    eventually("the complaint is shown", async || match broker.state() {
        QueueState::Degraded(why) if why.contains("`lychgate.v1.retry.300ms` exists with other arguments") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let outcomes = timeout(PATIENCE / 2, Queue::Broker(broker.clone()).publish(to(0, Route::Main, 3))).await;
    assert_eq!(outcomes.expect("publishing waits for a degraded broker"), vec![Published::Unknown; 3]);
    server.control("delete_queue", &["lychgate.v1.retry.300ms"]).await;
    becomes_up(&broker).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_creates_nothing_and_applying_makes_all_right() {
    let server = Broker::fresh().await;
    let settings = settings(&server.url(), 2);
    let findings = RabbitMq::verify(&settings).await.unwrap();
    assert!(findings.iter().any(|finding| finding.outcome == Outcome::Missing));
    assert!(findings.iter().all(|finding| finding.outcome != Outcome::Right));
    assert_eq!(server.control("list_queues", &["name"]).await.trim(), "");
    let findings = RabbitMq::apply(&settings).await.unwrap();
    assert!(findings.iter().all(|finding| finding.outcome == Outcome::Right), "{findings:?}");
    let findings = RabbitMq::verify(&settings).await.unwrap();
    assert!(!findings.iter().any(|finding| finding.outcome.is_wrong()), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unreadable_and_the_orphaned_are_drained_with_their_reasons() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let broker = up(settings(&server.url(), 1), &stop).await;
    let mut strays = broker.drain_dead(stop.clone());
    let queue = Queue::Broker(broker.clone());
    let mut deliveries = queue.consume(Intake { prefetch: 5, lease: PATIENCE }, stop.clone());

    let channel = server.connect().await.create_channel().await.unwrap();
    let options = BasicPublishOptions::default();
    let publish =
        channel.basic_publish("lychgate.v1.ingest".into(), "s00".into(), options, b"junk", BasicProperties::default());
    publish.await.unwrap().await.unwrap();
    let stray = timeout(PATIENCE, strays.recv()).await.unwrap().unwrap();
    assert_eq!((stray.queue, stray.reason.as_deref()), (StrayQueue::Dead, Some("rejected")));
    let poison = stray.message.unwrap_err();
    assert_eq!(poison.bytes.as_ref(), b"junk");
    stray.receipt.done();

    // A shard that there is no more.
    let batch = to(9, Route::Level(0), 1);
    let id = batch[0].0.id();
    assert_eq!(queue.publish(batch).await, [Published::Confirmed]);
    let stray = timeout(PATIENCE, strays.recv()).await.unwrap().unwrap();
    assert_eq!((stray.queue, stray.reason.as_deref()), (StrayQueue::Orphan, Some("expired")));
    assert_eq!(stray.message.unwrap().id(), id);
    stray.receipt.done();

    // The consumer that met the junk goes on.
    assert_eq!(queue.publish(to(0, Route::Main, 1)).await, [Published::Confirmed]);
    next(&mut deliveries).await.receipt.done();
    let stand = Stand { queue, server: Server::Broker(server), stop };
    stand.becomes(0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_reaches_the_gateway_that_waits_for_it_and_no_other() {
    let (server, stop) = (Broker::fresh().await, CancellationToken::new());
    let gateway = up(settings(&server.url(), 1), &stop).await;
    let other = up(settings(&server.url(), 1), &stop).await;
    let worker = up(settings(&server.url(), 1), &stop).await;
    let (mut outcomes, mut others) = (gateway.replies(), other.replies());
    becomes_up(&gateway).await;
    becomes_up(&other).await;
    let id = message(0).id();
    worker.reply(&gateway.reply_queue(), id, Bytes::from_static(b"{\"status\":\"succeeded\"}"));
    let (came, json) = timeout(PATIENCE, outcomes.recv()).await.unwrap().unwrap();
    assert_eq!((came, json.as_ref()), (id, b"{\"status\":\"succeeded\"}".as_slice()));
    worker.reply(&other.reply_queue(), id, Bytes::from_static(b"{}"));
    assert!(timeout(PATIENCE, others.recv()).await.unwrap().is_some());
    assert!(outcomes.try_recv().is_err());
    stop.cancel();
    gateway.closed().await;
    worker.closed().await;
}
