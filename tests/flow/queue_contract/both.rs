//! Promises of both kinds.

use super::*;

on_both!(
    what_is_done_is_delivered_once_and_leaves_nothing_behind,
    no_more_is_out_than_the_intake_allows,
    what_is_dropped_undone_comes_again_with_the_flag,
    what_was_out_when_its_worker_died_comes_again_with_the_flag,
    a_stopped_consumer_ends_its_stream_and_keeps_nothing,
    a_slow_one_does_not_hold_the_others_back,
);

async fn what_is_done_is_delivered_once_and_leaves_nothing_behind(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    let put = stand.put(120).await;
    let stop = CancellationToken::new();
    let mut deliveries = stand.consume(20, &stop);
    let mut seen = BTreeSet::new();
    for _ in 0..put.len() {
        let delivery = next(&mut deliveries).await;
        assert!(!delivery.redelivered);
        assert_eq!(delivery.message.event.body.as_ref(), b"{}");
        assert!(seen.insert(delivery.message.id()), "delivered twice");
        stand.finish(delivery).await;
    }
    assert_eq!(seen, put);
    stand.becomes(0, 0).await;
    stop.cancel();
    assert!(timeout(PATIENCE, deliveries.next()).await.unwrap().is_none());
}

async fn no_more_is_out_than_the_intake_allows(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    stand.put(10).await;
    let mut deliveries = stand.consume(3, &stand.stop);
    stand.becomes(3, 7).await;
    let mut held = vec![next(&mut deliveries).await, next(&mut deliveries).await, next(&mut deliveries).await];
    stand.finish(held.remove(1)).await;
    held.push(next(&mut deliveries).await);
    stand.becomes(3, 6).await;
}

async fn what_is_dropped_undone_comes_again_with_the_flag(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    stand.put(3).await;
    let mut deliveries = stand.consume(3, &stand.stop);
    let dropped = next(&mut deliveries).await;
    let id = dropped.message.id();
    drop(dropped);
    loop {
        let delivery = next(&mut deliveries).await;
        let again = delivery.message.id() == id;
        assert_eq!(delivery.redelivered, again);
        stand.finish(delivery).await;
        if again {
            break;
        }
    }
}

async fn what_was_out_when_its_worker_died_comes_again_with_the_flag(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    let put = stand.put(4).await;
    let dying = CancellationToken::new();
    let mut deliveries = stand.consume(2, &dying);
    let out = [next(&mut deliveries).await, next(&mut deliveries).await];
    let flagged: BTreeSet<_> = out.iter().map(|delivery| delivery.message.id()).collect();
    dying.cancel();
    drop((out, deliveries));
    let mut deliveries = stand.consume(4, &stand.stop);
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.redelivered, flagged.contains(&delivery.message.id()));
        seen.insert(delivery.message.id());
        stand.finish(delivery).await;
    }
    assert_eq!(seen, put);
    stand.becomes(0, 0).await;
}

async fn a_stopped_consumer_ends_its_stream_and_keeps_nothing(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    let put = stand.put(40).await;
    let stop = CancellationToken::new();
    let mut deliveries = stand.consume(10, &stop);
    let first = next(&mut deliveries).await;
    let mut seen = BTreeSet::from([first.message.id()]);
    stop.cancel();
    stand.finish(first).await;
    while let Some(delivery) = timeout(PATIENCE, deliveries.next()).await.expect("the stream does not end") {
        assert!(seen.insert(delivery.message.id()));
        stand.finish(delivery).await;
    }
    let left = i64::try_from(put.len() - seen.len()).unwrap();
    stand.becomes(0, left).await;
    let mut deliveries = stand.consume(10, &stand.stop);
    while seen.len() < put.len() {
        let delivery = next(&mut deliveries).await;
        seen.insert(delivery.message.id());
        stand.finish(delivery).await;
    }
    stand.becomes(0, 0).await;
}

async fn a_slow_one_does_not_hold_the_others_back(kind: QueueKind) {
    let stand = Stand::set(kind).await;
    stand.put(30).await;
    let mut deliveries = stand.consume(3, &stand.stop);
    let slow = next(&mut deliveries).await;
    for _ in 0..29 {
        let delivery = next(&mut deliveries).await;
        stand.finish(delivery).await;
    }
    stand.becomes(1, 0).await;
    stand.finish(slow).await;
    stand.becomes(0, 0).await;
}
