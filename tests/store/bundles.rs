//! Requests of several events: all or none, whoever else is in the group.

use futures_util::future::join_all;
use lychgate_common::{
    clock::Clock,
    store::{Bundle, Group, GroupLimits, Recorded, Recorder, Store, StoreSettings},
};
use lychgate_tests::{database::Database, fact::PATIENCE};

use crate::records::{WINDOW, webhook};

async fn open() -> (Store, Database, Group<Bundle, Vec<Recorded>>) {
    let database = Database::empty().await;
    let store = Store::open(&StoreSettings::new(database.url().into()), Clock::system()).unwrap();
    store.migrate().await.unwrap();
    // One writer: what is submitted together is one batch, so that halving has something to do.
    let limits = GroupLimits { writers: 1, items: 200, bytes: 4 << 20, waiting: 4096, patience: PATIENCE };
    let group = Group::start(limits, Recorder::new(store.clone(), WINDOW));
    (store, database, group)
}

/// A request of these keys and bodies that a conflict refuses.
fn bundle(store: &Store, events: &[(&str, &str)]) -> Bundle {
    let events = events.iter().map(|(key, body)| webhook(store, Some(key), body)).collect();
    Bundle { events, refuses_conflicts: true }
}

async fn keys(database: &Database) -> Vec<String> {
    database.column("select key from event order by 1").await
}

#[tokio::test]
async fn a_known_element_is_a_duplicate_and_the_others_are_new() {
    let (store, database, group) = open().await;
    let first = bundle(&store, &[("a", "1"), ("b", "2")]);
    let ids: Vec<_> = first.events.iter().map(|event| event.event.id).collect();
    assert_eq!(group.submit(first).await.unwrap(), [Recorded::New, Recorded::New]);
    let again = group.submit(bundle(&store, &[("b", "2"), ("c", "3"), ("a", "1")])).await.unwrap();
    assert_eq!(again, [Recorded::Duplicate(ids[1]), Recorded::New, Recorded::Duplicate(ids[0])]);
    let twice = bundle(&store, &[("d", "4"), ("d", "4")]);
    let ids = [twice.events[0].event.id, twice.events[1].event.id];
    let fates = group.submit(twice).await.unwrap();
    let expected = [[Recorded::New, Recorded::Duplicate(ids[0])], [Recorded::Duplicate(ids[1]), Recorded::New]];
    assert!(expected.iter().any(|expected| *expected == fates[..]), "one request may repeat itself: {fates:?}");
    assert_eq!(keys(&database).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_conflict_anywhere_leaves_nothing_of_the_request_behind() {
    let (store, database, group) = open().await;
    let first = bundle(&store, &[("a", "1"), ("z", "9")]);
    let id = first.events[0].event.id;
    group.submit(first).await.unwrap();
    let fates = group.submit(bundle(&store, &[("b", "2"), ("a", "other"), ("c", "3")])).await.unwrap();
    assert!(fates.contains(&Recorded::Conflict(id)), "{fates:?}");
    let fates = group.submit(bundle(&store, &[("d", "4"), ("d", "5")])).await.unwrap();
    assert!(fates.iter().any(|fate| matches!(fate, Recorded::Conflict(_))), "{fates:?}");
    assert_eq!(keys(&database).await, ["a", "z"]);
    assert_eq!(database.count("select count(*) from dedup_key").await, 2);
    assert_eq!(database.count("select count(*) from event_state").await, 2);
    // Its keys are free: what was not recorded is no duplicate later.
    assert_eq!(group.submit(bundle(&store, &[("b", "2"), ("c", "3")])).await.unwrap(), [Recorded::New, Recorded::New]);
    let lenient = Bundle { refuses_conflicts: false, ..bundle(&store, &[("a", "other"), ("e", "6")]) };
    assert_eq!(group.submit(lenient).await.unwrap(), [Recorded::Conflict(id), Recorded::New]);
}

#[tokio::test]
async fn of_a_group_of_requests_only_the_guilty_are_refused_and_never_a_part_of_one() {
    let (store, database, group) = open().await;
    group.submit(bundle(&store, &[("known", "1"), ("more", "1")])).await.unwrap();
    let names: Vec<[String; 3]> = (0..20).map(|n| ["x", "y", "z"].map(|element| format!("{n}{element}"))).collect();
    let requests = names.iter().enumerate().map(|(n, [x, y, z])| {
        let mut request = bundle(&store, &[(x, "1"), (y, "1"), (z, "1")]);
        match n {
            3 | 11 => request.events[n % 3].keys.key = Some("nul\0".to_owned()),
            7 => request.events[2] = webhook(&store, Some("known"), "other"),
            9 => request.events[2] = webhook(&store, Some("known"), "1"),
            _ => {}
        }
        request
    });
    let answers = join_all(requests.map(|request| group.submit(request))).await;
    for (n, answer) in answers.iter().enumerate() {
        match (n, answer) {
            (3 | 11, Err(error)) => assert_eq!((error.is_data(), error.element()), (true, Some(n % 3)), "{error}"),
            (7, Ok(fates)) => assert!(matches!(fates[2], Recorded::Conflict(_)), "{fates:?}"),
            (9, Ok(fates)) => assert!(matches!(fates[..2], [Recorded::New, Recorded::New]), "{fates:?}"),
            (_, Ok(fates)) => assert_eq!(fates[..], [Recorded::New; 3], "{n}"),
            (_, Err(error)) => panic!("{n}: {error}"),
        }
    }
    let expected = 2 + 16 * 3 + 2;
    assert_eq!(database.count("select count(*) from event").await, expected);
    assert_eq!(database.count("select count(*) from dedup_key").await, expected);
    assert_eq!(database.count("select count(*) from event where key ~ '^(3|7|11)[xyz]$'").await, 0);
}
