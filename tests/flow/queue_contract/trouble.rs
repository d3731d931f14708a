//! What happens to RabbitMQ must not happen to the events: kills, alarms, standstill.

use lychgate_common::queue::QueueState;
use lychgate_tests::Node;

use super::*;

/// Publishes until every one of `messages` is confirmed once, as the sweeper does.
async fn publish_all(queue: &Queue, mut messages: Vec<Message>) {
    eventually("everything is confirmed", async || {
        let batch = messages.iter().map(|message| (message.clone(), Route::Main)).collect();
        let mut outcomes = queue.publish(batch).await.into_iter();
        messages.retain(|_| outcomes.next() != Some(Published::Confirmed));
        if messages.is_empty() { Ok(()) } else { Err(format!("{} are not", messages.len())) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_loses_nothing_that_was_confirmed_and_is_found_again() {
    let (node, stop) = (Node::start().await, CancellationToken::new());
    let broker = up(settings(&node.url(), 1), &stop).await;
    let queue = Queue::Broker(broker.clone());
    let mut deliveries = queue.consume(Intake { prefetch: 20, lease: PATIENCE }, stop.clone());
    let messages: Vec<_> = (0..600).map(|_| message(0)).collect();
    let mut missing: BTreeSet<_> = messages.iter().map(Message::id).collect();
    let publishing = async {
        for part in messages.chunks(50) {
            publish_all(&queue, part.to_vec()).await;
        }
    };
    let consuming = async {
        for _ in 0..100 {
            let delivery = next(&mut deliveries).await;
            missing.remove(&delivery.message.id());
            delivery.receipt.done();
        }
        // In hand when the broker dies: its receipt is void, and it must come again.
        let held = next(&mut deliveries).await;
        node.kill9();
        eventually("the loss is noticed", async || if broker.state().is_up() { Err("up".to_owned()) } else { Ok(()) })
            .await;
        held.receipt.done();
        node.start_again().await;
        while !missing.is_empty() {
            let delivery = next(&mut deliveries).await;
            missing.remove(&delivery.message.id());
            delivery.receipt.done();
        }
    };
    tokio::join!(publishing, consuming);
    becomes_up(&broker).await;
    stop.cancel();
    timeout(PATIENCE, broker.closed()).await.expect("the connections do not close");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_stops_publishing_at_once_but_not_acknowledging() {
    let (node, stop) = (Node::start().await, CancellationToken::new());
    let broker = up(settings(&node.url(), 1), &stop).await;
    let queue = Queue::Broker(broker.clone());
    publish_all(&queue, (0..10).map(|_| message(0)).collect()).await;
    node.control(&["set_vm_memory_high_watermark", "0.00001"]).await;
    eventually("the alarm is noticed", async || {
        let batch = vec![(message(0), Route::Main)];
        let _ = queue.publish(batch).await;
        match broker.state() {
            QueueState::Degraded(why) if why.contains("alarm") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(queue.publish(vec![(message(0), Route::Main)]).await, [Published::Unknown]);
    let mut deliveries = queue.consume(Intake { prefetch: 5, lease: PATIENCE }, stop.clone());
    for _ in 0..10 {
        next(&mut deliveries).await.receipt.done();
    }
    eventually("what was delivered is acknowledged during the alarm", async || {
        let listed = node.control(&["list_queues", "name", "messages_unacknowledged"]).await;
        let main = listed.lines().find(|line| line.contains("main.s00")).unwrap_or_default().to_owned();
        if main.ends_with("\t0") { Ok(()) } else { Err(main) }
    })
    .await;
    node.control(&["set_vm_memory_high_watermark", "0.6"]).await;
    becomes_up(&broker).await;
    publish_all(&queue, vec![message(0)]).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_costs_a_publish_its_deadline_and_the_next_one_nothing() {
    let (node, stop) = (Node::start().await, CancellationToken::new());
    let mut quick = settings(&node.url(), 1);
    quick.publish_deadline = Duration::from_millis(500);
    quick.connect_deadline = Duration::from_secs(2);
    let broker = up(quick, &stop).await;
    let queue = Queue::Broker(broker.clone());
    node.freeze();
    assert_eq!(queue.publish(vec![(message(0), Route::Main)]).await, [Published::Unknown]);
    eventually(
        "the connection is given up",
        async || {
            if broker.state().is_up() { Err("up".to_owned()) } else { Ok(()) }
        },
    )
    .await;
    assert_eq!(queue.publish(vec![(message(0), Route::Main)]).await, [Published::Unknown]);
    node.wake();
    publish_all(&queue, vec![message(0)]).await;
    becomes_up(&broker).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_and_closed_connections_are_survived_by_a_consumer() {
    let (node, stop) = (Node::start().await, CancellationToken::new());
    let broker = up(settings(&node.url(), 1), &stop).await;
    let queue = Queue::Broker(broker.clone());
    let mut deliveries = queue.consume(Intake { prefetch: 5, lease: PATIENCE }, stop.clone());
    publish_all(&queue, vec![message(0)]).await;
    next(&mut deliveries).await.receipt.done();
    node.control(&["delete_queue", "lychgate.v1.main.s00"]).await;
    publish_all(&queue, vec![message(0)]).await;
    next(&mut deliveries).await.receipt.done();
    // Back within milliseconds: RabbitMQ 3.10 may forget to tell the consumer that its queue was another.
    node.control(&["delete_queue", "lychgate.v1.main.s00"]).await;
    RabbitMq::apply(&settings(&node.url(), 1)).await.unwrap();
    publish_all(&queue, vec![message(0)]).await;
    next(&mut deliveries).await.receipt.done();
    node.control(&["close_all_connections", "a test"]).await;
    publish_all(&queue, (0..20).map(|_| message(0)).collect()).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 20 {
        let delivery = next(&mut deliveries).await;
        seen.insert(delivery.message.id());
        delivery.receipt.done();
    }
    stop.cancel();
}
