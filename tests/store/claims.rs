//! Claiming and sweeping.

use std::time::Duration;

use jiff::SignedDuration;
use lychgate_common::{clock::Clock, event::Attempt, queue::Shard, store::Claim};

use crate::records::{group, store_at, webhook};

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_claim_is_exclusive_until_its_lease_ends_and_then_counts_as_redelivered() {
    let clock = Clock::standing_at("2026-11-21T12:00:00Z".parse().unwrap());
    let store = store_at(clock.clone()).await;
    let record = group(&store);
    for n in 0..30 {
        record.submit(webhook(&store, Some(&n.to_string()), "a")).await.unwrap();
    }
    let (a, b) = tokio::join!(store.claim_due(20, LEASE, &[]), store.claim_due(20, LEASE, &[]));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.len() + b.len(), 30);
    assert!(a.iter().chain(&b).all(|(_, redelivered)| !redelivered));
    assert!(store.claim_due(20, LEASE, &[]).await.unwrap().is_empty());
    clock.advance(SignedDuration::from_secs(61));
    let again = store.claim_due(100, LEASE, &[]).await.unwrap();
    assert!(again.len() == 30 && again.iter().all(|(_, redelivered)| *redelivered));
    assert_eq!(again[0].0.event.body.as_ref(), b"a");
}

#[tokio::test]
async fn a_saturated_source_is_left_out() {
    let store = store_at(Clock::system()).await;
    group(&store).submit(webhook(&store, Some("k"), "a")).await.unwrap();
    assert!(store.claim_due(20, LEASE, &["platform".to_owned()]).await.unwrap().is_empty());
    assert_eq!(store.claim_due(20, LEASE, &["other".to_owned()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_fourth_start_of_one_attempt_is_poison_and_a_settled_one_is_stale() {
    let store = store_at(Clock::system()).await;
    let item = webhook(&store, Some("k"), "a");
    group(&store).submit(item.clone()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.claim_again(item.event.id, Attempt::FIRST, 3).await.unwrap(), Claim::Run);
    }
    assert_eq!(store.claim_again(item.event.id, Attempt::FIRST, 3).await.unwrap(), Claim::Poison);
    assert_eq!(store.claim_again(item.event.id, Attempt::FIRST.next(), 3).await.unwrap(), Claim::Stale);
}

#[tokio::test]
async fn the_sweep_takes_the_unpublished_at_once_and_the_overdue_only_past_the_drained_queue() {
    let clock = Clock::standing_at("2026-11-21T12:00:00Z".parse().unwrap());
    let store = store_at(clock.clone()).await;
    let record = group(&store);
    let grace = SignedDuration::from_secs(30);
    let mut published = webhook(&store, Some("published"), "a");
    published.due_at = Some(clock.now() + grace);
    let mut failed = webhook(&store, Some("failed"), "a");
    failed.due_at = None;
    let shard: Shard = published.shard;
    record.submit(published.clone()).await.unwrap();
    record.submit(failed.clone()).await.unwrap();

    let swept = store.sweep_unpublished(10, Duration::from_secs(30)).await.unwrap();
    assert_eq!(swept.iter().map(|message| message.id()).collect::<Vec<_>>(), [failed.event.id]);
    assert!(store.sweep_unpublished(10, Duration::from_secs(30)).await.unwrap().is_empty());

    clock.advance(SignedDuration::from_secs(31));
    assert_eq!(store.overdue_shards().await.unwrap(), [shard]);
    let before = published.event.received_at - SignedDuration::from_secs(1);
    assert!(store.sweep_overdue(10, Duration::from_secs(30), shard, before).await.unwrap().is_empty());
    let swept = store.sweep_overdue(10, Duration::from_secs(30), shard, clock.now()).await.unwrap();
    assert_eq!(swept.len(), 2);
    assert!(store.overdue_shards().await.unwrap().is_empty());
}
