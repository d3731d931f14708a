//! Settling: the fence, the dead, the retried.

use std::time::Duration;

use jiff::SignedDuration;
use lychgate_common::{
    change::{Change, Table, Version},
    clock::Clock,
    event::Attempt,
    row,
    store::{AttemptError, Group, GroupLimits, NewEvent, Settled, Settlement, Settler, Store, Verdict, WorkerName},
};
use lychgate_tests::fact::PATIENCE;

use crate::records::{group, store_at, webhook};

fn settler(store: &Store) -> Group<Settlement, Settled> {
    let name = WorkerName { worker: "w1".to_owned(), build: "test".to_owned() };
    let limits = GroupLimits { writers: 2, items: 50, bytes: 4 << 20, waiting: 1024, patience: PATIENCE };
    Group::start(limits, Settler::new(store.clone(), name))
}

fn settlement(item: &NewEvent, attempt: i32, verdict: Verdict) -> Settlement {
    Settlement {
        event: item.event.clone(),
        traceparent: None,
        attempt: Attempt::new(attempt).unwrap(),
        error: matches!(verdict, Verdict::Retry { .. } | Verdict::Dead { .. }).then(|| AttemptError {
            outcome: "temporary",
            class: "core_away".to_owned(),
            message: "the core API is away".to_owned(),
            stack: vec!["the core API is away".to_owned(), "connection refused".to_owned()],
        }),
        verdict,
        changes: [].into(),
        reply: None,
        started_at: item.event.received_at,
        took: Duration::from_millis(3),
    }
}

#[tokio::test]
async fn an_attempt_is_settled_once_whatever_copies_come_later() {
    let store = store_at(Clock::system()).await;
    let item = webhook(&store, Some("k"), "a");
    group(&store).submit(item.clone()).await.unwrap();
    let settler = settler(&store);
    let now = store.clock().now();
    let retry = Verdict::Retry { climbed: 1, at: now, sweep_at: now };
    assert_eq!(settler.submit(settlement(&item, 1, retry.clone())).await.unwrap(), Settled::Now);
    assert_eq!(settler.submit(settlement(&item, 1, Verdict::Succeeded)).await.unwrap(), Settled::Before);
    assert_eq!(settler.submit(settlement(&item, 2, Verdict::Succeeded)).await.unwrap(), Settled::Now);
    assert_eq!(settler.submit(settlement(&item, 2, Verdict::Succeeded)).await.unwrap(), Settled::Before);
    assert_eq!(settler.submit(settlement(&item, 3, retry)).await.unwrap(), Settled::Before);
}

#[tokio::test]
async fn word_of_a_lost_publish_that_comes_after_its_attempt_brings_no_retry_forward() {
    let store = store_at(Clock::system()).await;
    let item = webhook(&store, Some("k"), "a");
    let id = item.event.id;
    group(&store).submit(NewEvent { due_at: Some(store.clock().now()), ..item.clone() }).await.unwrap();
    let at = store.clock().now() + SignedDuration::from_hours(1);
    let retry = Verdict::Retry { climbed: 1, at, sweep_at: at };
    assert_eq!(settler(&store).submit(settlement(&item, 1, retry)).await.unwrap(), Settled::Now);
    store.mark_unpublished(&[(id, Attempt::FIRST)]).await.unwrap();
    assert!(store.sweep_unpublished(10, Duration::from_secs(30)).await.unwrap().is_empty());
    store.mark_unpublished(&[(id, Attempt::FIRST.next())]).await.unwrap();
    assert_eq!(store.sweep_unpublished(10, Duration::from_secs(30)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_retried_event_is_due_again_and_a_dead_one_is_not() {
    let clock = Clock::standing_at("2026-11-21T12:00:00Z".parse().unwrap());
    let store = store_at(clock.clone()).await;
    let (one, two) = (webhook(&store, Some("one"), "a"), webhook(&store, Some("two"), "a"));
    let record = group(&store);
    record.submit(one.clone()).await.unwrap();
    record.submit(two.clone()).await.unwrap();
    let settler = settler(&store);
    let at = clock.now() + SignedDuration::from_secs(15);
    let _ = settler.submit(settlement(&one, 1, Verdict::Retry { climbed: 1, at, sweep_at: at })).await.unwrap();
    let _ = settler.submit(settlement(&two, 1, Verdict::Dead { fingerprint: "00ff".to_owned() })).await.unwrap();
    assert!(store.claim_due(10, Duration::from_secs(60), &[]).await.unwrap().is_empty());
    clock.advance(SignedDuration::from_secs(16));
    let due = store.claim_due(10, Duration::from_secs(60), &[]).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].0.id(), due[0].0.attempt.number(), due[0].0.climbed), (one.event.id, 2, 1));
}

#[tokio::test]
async fn of_a_batch_only_the_settlement_whose_data_is_refused_fails() {
    static USER: Table = Table { name: "platform_user", key: &["source", "id"], columns: &["name"] };
    let store = store_at(Clock::system()).await;
    let record = group(&store);
    let mut items = Vec::new();
    for n in 0..9 {
        let item = webhook(&store, Some(&format!("k{n}")), "a");
        record.submit(item.clone()).await.unwrap();
        items.push(item);
    }
    // One writer: what is submitted while it writes the first is one batch.
    let name = WorkerName { worker: "w1".to_owned(), build: "test".to_owned() };
    let limits = GroupLimits { writers: 1, items: 50, bytes: 4 << 20, waiting: 1024, patience: PATIENCE };
    let settler = Group::start(limits, Settler::new(store.clone(), name));
    let settled = items.iter().enumerate().map(|(n, item)| {
        let name = if n == 4 { "Ada\0" } else { "Ada" };
        let row = row! { "source" => "s", "id" => format!("u{n}"), "name" => name };
        let changes = [Change::merge(&USER, row, Version::of(&item.event))].into();
        settler.submit(Settlement { changes, ..settlement(item, 1, Verdict::Succeeded) })
    });
    let settled = futures_util::future::join_all(settled).await;
    for (n, settled) in settled.iter().enumerate() {
        match settled {
            Ok(settled) => assert!(n != 4 && *settled == Settled::Now, "{n}: {settled:?}"),
            Err(error) => assert!(n == 4 && error.is_data(), "{n}: {error}"),
        }
    }
}
