//! Recording: new, duplicate, conflict, guarded bodies, guilty rows, edges.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    clock::Clock,
    event::{Event, EventId},
    queue::Shards,
    store::{Group, GroupLimits, Keys, NewEvent, Recorded, Recorder, Store, StoreSettings, Write},
};
use lychgate_tests::{database::Database, eventually, fact::PATIENCE};

pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(crate) async fn store_at(clock: Clock) -> Store {
    let database = Database::empty().await;
    let store = Store::open(&StoreSettings::new(database.url().into()), clock).unwrap();
    store.migrate().await.unwrap();
    store
}

pub(crate) fn group(store: &Store) -> Group<NewEvent, Recorded> {
    let limits = GroupLimits { writers: 3, items: 200, bytes: 4 << 20, waiting: 4096, patience: PATIENCE };
    Group::start(limits, Recorder::new(store.clone(), WINDOW))
}

pub(crate) fn webhook(store: &Store, key: Option<&str>, body: &str) -> NewEvent {
    let now = store.clock().now();
    let id = EventId::new(now);
    let body = Bytes::copy_from_slice(body.as_bytes());
    NewEvent {
        body_sha256: NewEvent::hash(&body),
        event: Event {
            id,
            source: Arc::from("platform"),
            preset: Arc::from("platform"),
            tenant: Arc::from(""),
            kind: Arc::from("user.created"),
            subject: None,
            occurred_at: None,
            received_at: now,
            body,
        },
        keys: Keys { key: key.map(str::to_owned), ..Keys::default() },
        headers: Arc::from("{}"),
        content_type: None,
        traceparent: None,
        shard: Shards::ONE.pick("platform", id),
        due_at: Some(now),
    }
}

fn moment(text: &str) -> Clock {
    Clock::standing_at(text.parse::<Timestamp>().unwrap())
}

#[tokio::test]
async fn a_key_is_new_once_then_a_duplicate_or_a_conflict() {
    let store = store_at(moment("2026-11-21T12:00:00Z")).await;
    let group = group(&store);
    let first = webhook(&store, Some("k1"), "a");
    let id = first.event.id;
    assert_eq!(group.submit(first).await.unwrap(), Recorded::New);
    assert_eq!(group.submit(webhook(&store, Some("k1"), "a")).await.unwrap(), Recorded::Duplicate(id));
    assert_eq!(group.submit(webhook(&store, Some("k1"), "b")).await.unwrap(), Recorded::Conflict(id));
    assert_eq!(group.submit(webhook(&store, None, "a")).await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn a_thousand_at_once_with_one_key_are_one_event() {
    let store = store_at(Clock::system()).await;
    let group = group(&store);
    let answers =
        futures_util::future::join_all((0..1000).map(|_| group.submit(webhook(&store, Some("same"), "body")))).await;
    let new = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::New))).count();
    let ids: std::collections::BTreeSet<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Recorded::Duplicate(id)) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!((new, ids.len(), answers.len()), (1, 1, 1000));
}

#[tokio::test]
async fn a_batch_takes_its_keys_in_one_order_whatever_its_own_so_that_two_batches_never_deadlock() {
    let database = Database::empty().await;
    let store = Store::open(&StoreSettings::new(database.url().into()), Clock::system()).unwrap();
    store.migrate().await.unwrap();
    let recorder = Recorder::new(store.clone(), WINDOW);
    let batch = |keys: &[String]| keys.iter().map(|key| webhook(&store, Some(key), "a")).collect::<Vec<_>>();
    let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    recorder.write(&batch(&keys)).await.unwrap();
    let ordered =
        "select e.key from dedup_key d join event e on e.id = d.event_id order by d.bucket, d.source, d.key_hash";
    let mut keys = database.column(ordered).await;
    keys.reverse();

    // Another batch, half done: it has taken the first key, and is about to take the last.
    let other = database.connect().await;
    let afresh = "create table taken as select * from dedup_key; truncate dedup_key, event, event_state";
    other.batch_execute(afresh).await.unwrap();
    let half = "begin;
        insert into dedup_key select * from taken order by bucket, source, key_hash limit 1";
    other.batch_execute(half).await.unwrap();
    let write = tokio::spawn({
        let items = batch(&keys);
        async move { recorder.write(&items).await }
    });
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    eventually("the batch waits for the first key", async || match database.count(waits).await {
        0 => Err("it does not".to_owned()),
        _ => Ok(()),
    })
    .await;
    let rest = "insert into dedup_key select * from taken order by bucket desc, source desc, key_hash desc limit 1";
    other.batch_execute(rest).await.expect("nobody holds the last key while waiting for the first");
    other.batch_execute("rollback").await.unwrap();
    assert_eq!(write.await.unwrap().unwrap(), vec![Recorded::New; 8]);
}

#[tokio::test]
async fn a_guarded_body_is_known_under_another_key_and_a_refused_one_leaves_nothing_behind() {
    let store = store_at(moment("2026-11-21T12:00:00Z")).await;
    let group = group(&store);
    let guarded = |key: &str, body: &str| {
        let mut event = webhook(&store, Some(key), body);
        event.keys.body_guard = true;
        event
    };
    let first = guarded("d1", "captured");
    let id = first.event.id;
    assert_eq!(group.submit(first).await.unwrap(), Recorded::New);
    assert_eq!(group.submit(guarded("d2", "captured")).await.unwrap(), Recorded::Duplicate(id));
    assert_eq!(group.submit(guarded("d1", "other")).await.unwrap(), Recorded::Conflict(id));
    // Neither the key d2 nor the body `other` was taken by the two refused deliveries.
    assert_eq!(group.submit(guarded("d2", "another")).await.unwrap(), Recorded::New);
    assert_eq!(group.submit(guarded("d3", "other")).await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn a_guarded_body_of_another_type_is_another_event_and_after_its_window_so_is_an_equal_one() {
    let clock = moment("2026-11-18T23:58:30Z");
    let store = store_at(clock.clone()).await;
    let group = group(&store);
    let minute = Some(std::time::Duration::from_secs(60));
    let guarded = |key: &str, kind: &str, window| {
        let mut event = webhook(&store, Some(key), "equal");
        event.event.kind = Arc::from(kind);
        event.keys = Keys { body_guard: true, body_guard_window: window, ..event.keys };
        event
    };
    let (added, sold) = (guarded("d1", "added", minute), guarded("d2", "sold", None));
    let ids = [added.event.id, sold.event.id];
    assert_eq!(group.submit(added).await.unwrap(), Recorded::New);
    assert_eq!(group.submit(guarded("d3", "removed", minute)).await.unwrap(), Recorded::New);
    assert_eq!(group.submit(sold).await.unwrap(), Recorded::New);
    // Over the edges of a slot and of a week's bucket, and never twice as long as the window.
    for (seconds, expected) in [(0, false), (59, false), (61, true)] {
        clock.advance(SignedDuration::from_secs(seconds));
        let answer = group.submit(guarded(&format!("e{seconds}"), "added", minute)).await.unwrap();
        assert_eq!(answer, if expected { Recorded::New } else { Recorded::Duplicate(ids[0]) }, "{seconds}");
    }
    clock.advance(SignedDuration::from_hours(24 * 13));
    store.make_partitions(1).await.unwrap();
    assert_eq!(group.submit(guarded("d4", "sold", None)).await.unwrap(), Recorded::Duplicate(ids[1]));
}

#[tokio::test]
async fn a_poisoned_row_fails_alone() {
    let store = store_at(Clock::system()).await;
    let mut batch: Vec<_> = (0..20).map(|n| webhook(&store, Some(&format!("k{n}")), "body")).collect();
    batch[7].keys.key = Some("nul\0".to_owned());
    let group = group(&store);
    let answers = futures_util::future::join_all(batch.into_iter().map(|item| group.submit(item))).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_err(), n == 7, "{n}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_is_known_over_the_edges_of_its_bucket_for_the_whole_window() {
    // A Thursday midnight: buckets count weeks from 1970-01-01, a Thursday.
    let clock = moment("2026-11-18T23:59:30Z");
    let store = store_at(clock.clone()).await;
    let group = group(&store);
    let first = webhook(&store, Some("edge"), "a");
    let id = first.event.id;
    assert_eq!(group.submit(first).await.unwrap(), Recorded::New);
    for step in [SignedDuration::from_secs(60), SignedDuration::from_hours(24 * 7), SignedDuration::from_hours(24 * 6)]
    {
        clock.advance(step);
        store.make_partitions(1).await.unwrap();
        assert_eq!(group.submit(webhook(&store, Some("edge"), "a")).await.unwrap(), Recorded::Duplicate(id));
    }
}

#[tokio::test]
async fn a_clock_that_outran_the_partitions_makes_its_own() {
    let clock = moment("2026-11-21T12:00:00Z");
    let store = store_at(clock.clone()).await;
    clock.advance(SignedDuration::from_hours(24 * 60));
    assert_eq!(group(&store).submit(webhook(&store, Some("late"), "a")).await.unwrap(), Recorded::New);
}
