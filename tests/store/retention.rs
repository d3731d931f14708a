//! Retention: what is past its time goes, each by its own setting; what nobody has dealt with stays.

use std::{net::IpAddr, time::Duration};

use jiff::SignedDuration;
use lychgate_common::{
    clock::Clock,
    event::{Attempt, EventId},
    store::{
        DeliveryLogger, Group, GroupLimits, LoggedAs, LoggedDelivery, NewEvent, Recorded, Retention, Settlement,
        Settler, Store, StoreSettings, Verdict, WorkerName, Write,
    },
};
use lychgate_tests::{Database, fact::PATIENCE};

use crate::records::{group, store_at, webhook};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn refused(store: &Store) -> LoggedDelivery {
    let now = store.clock().now();
    LoggedDelivery {
        id: EventId::new(now),
        received_at: now,
        source: "platform".into(),
        preset: "platform".into(),
        tenant: String::new(),
        kind: None,
        outcome: LoggedAs::Refused,
        reason: "signature_wrong",
        status: 401,
        address: IpAddr::from([192, 0, 2, 7]),
        key: None,
        event_id: None,
        authentic: false,
        body: None,
        headers: "{}".to_owned(),
        suspicious: true,
    }
}

async fn succeeds(store: &Store, item: &NewEvent) {
    let name = WorkerName { worker: "w1".into(), build: "test".into() };
    let limits = GroupLimits { writers: 1, items: 10, bytes: 1 << 20, waiting: 10, patience: PATIENCE };
    let settlement = Settlement {
        event: item.event.clone(),
        traceparent: None,
        attempt: Attempt::FIRST,
        verdict: Verdict::Succeeded,
        changes: [].into(),
        reply: None,
        error: None,
        started_at: store.clock().now(),
        took: Duration::from_millis(1),
    };
    let _settled = Group::start(limits, Settler::new(store.clone(), name)).submit(settlement).await.unwrap();
}

/// The days for which a table has partitions, of those before `before`.
async fn days(store: &Store, table: &str, keep: Retention) -> (Vec<String>, Vec<String>) {
    let dropped = store.drop_partitions(keep).await.unwrap();
    let of = |name: &&String| name.rsplit_once('_').is_some_and(|(of, _)| of == table);
    (dropped.iter().filter(of).cloned().collect(), dropped.clone())
}

#[tokio::test]
async fn a_reader_who_takes_his_time_keeps_his_day_and_no_sender_waits_for_him() {
    let clock = Clock::standing_at("2026-11-01T12:00:00Z".parse().unwrap());
    let database = Database::empty().await;
    let store = Store::open(&StoreSettings::new(database.url().into()), clock.clone()).unwrap();
    store.migrate().await.unwrap();
    let record = group(&store);
    clock.advance(DAY * 20);
    store.make_partitions(4).await.unwrap();
    let reader = database.connect().await;
    reader.batch_execute("begin; select count(*) from event").await.unwrap();
    let keep = Retention { events: DAY * 9, deliveries: DAY * 30, keys: DAY * 14 };
    let (dropping, recorded) =
        tokio::join!(store.drop_partitions(keep), record.submit(webhook(&store, Some("meanwhile"), "a")));
    assert_eq!(recorded.unwrap(), Recorded::New);
    let dropped = dropping.expect("a reader is no failure");
    assert!(!dropped.iter().any(|name| name.starts_with("event_2") || name.starts_with("event_state")), "{dropped:?}");
    reader.batch_execute("commit").await.unwrap();
    let dropped = store.drop_partitions(keep).await.unwrap();
    for name in ["event_20261101", "event_state_20261101", "attempt_20261101"] {
        assert!(dropped.contains(&name.to_owned()), "{dropped:?}");
    }
}

#[tokio::test]
async fn at_a_buckets_edge_a_fresh_store_has_both_of_its_buckets() {
    // A Thursday: buckets are weeks that are counted from 1970-01-01, which was one.
    let store = store_at(Clock::standing_at("2026-11-26T00:00:30Z".parse().unwrap())).await;
    assert_eq!(group(&store).submit(webhook(&store, Some("early"), "a")).await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn events_and_the_log_of_deliveries_go_each_after_its_own_time_and_what_is_open_stays() {
    let clock = Clock::standing_at("2026-11-01T12:00:00Z".parse().unwrap());
    let store = store_at(clock.clone()).await;
    let record = group(&store);
    let done = webhook(&store, Some("done"), "a");
    record.submit(done.clone()).await.unwrap();
    succeeds(&store, &done).await;
    let log = DeliveryLogger::new(store.clone());
    log.write(&[refused(&store)]).await.unwrap();
    clock.advance(DAY);
    store.make_partitions(4).await.unwrap();
    record.submit(webhook(&store, Some("open"), "b")).await.unwrap();
    log.write(&[refused(&store)]).await.unwrap();

    clock.advance(DAY * 10);
    store.make_partitions(4).await.unwrap();
    let keep =
        |events: i32, deliveries: i32| Retention { events: DAY * events, deliveries: DAY * deliveries, keys: DAY * 14 };
    let (events, all) = days(&store, "event", keep(9, 30)).await;
    assert!(events.contains(&"event_20261101".to_owned()) && !events.contains(&"event_20261102".to_owned()), "{all:?}");
    assert!(!all.iter().any(|name| name.starts_with("delivery_log")), "its time has not come: {all:?}");
    let (log, all) = days(&store, "delivery_log", keep(9, 5)).await;
    assert!(log.contains(&"delivery_log_20261101".to_owned()), "{all:?}");
    assert!(log.contains(&"delivery_log_20261102".to_owned()), "an open event does not hold the log: {all:?}");
    assert!(!log.contains(&"delivery_log_20261112".to_owned()), "{all:?}");
    assert_eq!(store.security_events(clock.now() - DAY * 30, 10).await.unwrap().len(), 2);
    assert_eq!(store.forget_security_events(clock.now() - DAY * 5).await.unwrap(), 2);
}
