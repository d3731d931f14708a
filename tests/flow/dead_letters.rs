//! Dead letters: found by filter and cause, shown in full, rehearsed, replayed once each with care, discarded for good.

use std::time::Duration;

use lychgate_common::{
    event::{Attempt, Event, EventId},
    message::Message,
    status::Status,
    store::{
        AttemptError, Deed, EventFilter, Page, Settled, Settlement, Settler, Store, Verdict, WorkerName, Write,
        fingerprint,
    },
};
use lychgate_tests::{Database, eventually};
use lychgate_worker::{
    handlers::{Registry, platform::Platform},
    operate::{
        dead_letters::{OperateError, discard, plan},
        rehearse::rehearse,
        replay::{ReplayOrder, replay},
    },
};

use crate::rows::{migrated, record};

const GOOD: &str = r#"{"data": {"user": {"id": "u"}}}"#;

fn deed(reason: &str) -> Deed {
    Deed { actor: "anna".to_owned(), reason: reason.to_owned() }
}

/// Settles an attempt as dead (with this message) or as succeeded.
async fn settle(store: &Store, event: &Event, attempt: Attempt, died: Option<&str>) -> Settled {
    let name = WorkerName { worker: "w1".to_owned(), build: "test".to_owned() };
    let dead = |message: &str| AttemptError {
        outcome: "permanent",
        class: "not_found".to_owned(),
        message: message.to_owned(),
        stack: vec![message.to_owned(), "404".to_owned()],
    };
    let verdict = match died {
        Some(message) => Verdict::Dead { fingerprint: fingerprint(&event.source, &event.kind, "not_found", message) },
        None => Verdict::Succeeded,
    };
    let settlement = Settlement {
        event: event.clone(),
        traceparent: None,
        attempt,
        verdict,
        changes: [].into(),
        reply: None,
        error: died.map(dead),
        started_at: store.clock().now(),
        took: Duration::from_millis(5),
    };
    Settler::new(store.clone(), name).write(&[settlement]).await.unwrap().pop().unwrap()
}

/// Dead letters of two causes: so many whose member is unknown, and one of another type.
async fn heap(store: &Store, unknown: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for n in 0..unknown {
        let event = record(store, "platform", "user.deleted", GOOD).await;
        assert_eq!(settle(store, &event, Attempt::FIRST, Some(&format!("member {n} not found"))).await, Settled::Now);
        events.push(event);
    }
    let other = record(store, "platform", "user.login", "{}").await;
    assert_eq!(settle(store, &other, Attempt::FIRST, Some("/data is missing")).await, Settled::Now);
    events.push(other);
    events
}

/// A worker in small: takes what is due, and settles it as `fate` says.
fn work(store: &Store, fate: fn(&Message) -> Option<&'static str>) -> tokio::task::JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        loop {
            for (message, _) in store.claim_due(50, Duration::from_secs(60), &[]).await.unwrap() {
                let _settled = settle(&store, &message.event, message.attempt, fate(&message)).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

async fn statuses(database: &Database) -> Vec<String> {
    database.column("select status || ' ' || count(*) from event_state group by status order by status").await
}

#[tokio::test]
async fn dead_letters_are_listed_by_filter_page_and_cause() {
    let (store, _database) = migrated().await;
    let events = heap(&store, 3).await;
    let all = store.dead_letters(&EventFilter::default(), Page::default()).await.unwrap();
    let ids: Vec<EventId> = all.iter().map(|letter| letter.id).collect();
    let mut newest_first: Vec<_> = events.iter().map(|event| event.id).collect();
    newest_first.sort_by(|a, b| b.cmp(a));
    assert_eq!(ids, newest_first);
    let second = store.dead_letters(&EventFilter::default(), Page { limit: 2, after: Some(ids[1]) }).await.unwrap();
    assert_eq!(second.iter().map(|letter| letter.id).collect::<Vec<_>>(), ids[2..]);

    let groups = store.dead_letter_groups(&EventFilter::default()).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [3, 1]);
    assert!(groups[0].first_seen <= groups[0].last_seen);
    assert_eq!((groups[0].class.as_str(), groups[0].build.as_str()), ("not_found", "test"));

    let of = |filter: EventFilter| {
        let store = &store;
        async move {
            let count = store.dead_letter_count(&filter).await.unwrap();
            let listed = store.dead_letters(&filter, Page::default()).await.unwrap();
            assert_eq!(usize::try_from(count).unwrap(), listed.len());
            count
        }
    };
    let filter = EventFilter::default;
    assert_eq!(of(EventFilter { fingerprint: Some(groups[0].fingerprint.clone()), ..filter() }).await, 3);
    assert_eq!(of(EventFilter { kind: Some("user.login".to_owned()), ..filter() }).await, 1);
    assert_eq!(of(EventFilter { source: Some("stripe".to_owned()), ..filter() }).await, 0);
    assert_eq!(of(EventFilter::of([ids[0], ids[2]])).await, 2);
    assert_eq!(of(EventFilter { until: Some(events[0].received_at), ..filter() }).await, 0);
    assert_eq!(of(EventFilter { since: Some(events[0].received_at), ..filter() }).await, 4);
    let json = serde_json::to_value(&all[0]).unwrap();
    assert_eq!(json["type"], "user.login");
    let planned = plan(&store, &filter()).await.unwrap();
    assert_eq!((planned.total, planned.groups), (4, groups));
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_its_event_attempts_and_chain_of_causes() {
    let (store, _database) = migrated().await;
    let event = heap(&store, 1).await.swap_remove(0);
    let shown = store.dead_letter(event.id).await.unwrap().unwrap();
    assert_eq!(shown.error["stack"], serde_json::json!(["member 0 not found", "404"]));
    assert_eq!(shown.event.body.as_deref(), Some(GOOD));
    assert_eq!(shown.event.headers["user-agent"], "Platform-Webhooks/1.0");
    assert_eq!(shown.event.line.status, Status::Dead);
    assert_eq!(shown.event.line.last_error.as_deref(), Some("member 0 not found"));
    assert_eq!((shown.event.attempts[0].attempt, shown.event.attempts[0].outcome.as_str()), (1, "permanent"));
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["event"]["status"], "dead");
    assert_eq!(store.dead_letter(EventId::new(store.clock().now())).await.unwrap(), None);
}

#[tokio::test]
async fn events_are_listed_with_where_they_stand() {
    let (store, _database) = migrated().await;
    heap(&store, 1).await;
    let open = record(&store, "platform", "user.created", GOOD).await;
    let line = store.event_line(open.id).await.unwrap().unwrap();
    assert_eq!((line.status, line.next_attempt_at, line.last_error), (Status::Accepted, None, None));
    let dead = EventFilter { status: Some(Status::Dead), ..EventFilter::default() };
    assert_eq!(store.events(&dead, Page::default()).await.unwrap().len(), 2);
    let newest = store.events(&EventFilter::default(), Page { limit: 1, after: None }).await.unwrap();
    assert_eq!(newest[0].id, open.id);
}

#[tokio::test]
async fn a_replay_opens_what_is_dead_once_and_leaves_a_trace() {
    let (store, database) = migrated().await;
    let events = heap(&store, 2).await;
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let (one, other) = (deed("the campus is back"), deed("me too"));
    let (one, other) = tokio::join!(store.replay(&ids, &one, None), store.replay(&ids, &other, None));
    let messages: Vec<_> = one.unwrap().into_iter().chain(other.unwrap()).collect();
    assert_eq!(messages.len(), 3, "each is opened by one of two operators");
    assert!(messages.iter().all(|message| message.attempt.number() == 2 && message.climbed == 0));
    assert_eq!(statuses(&database).await, ["retrying 3"]);
    assert_eq!(database.count("select count(*) from dead_letter").await, 0);
    let audit = store.audit_of(&ids[0].to_string()).await.unwrap();
    assert_eq!((audit.len(), audit[0].actor.as_str(), audit[0].action.as_str()), (1, "anna", "replay"));
    assert_eq!(audit[0].detail["message"], "member 0 not found");

    assert_eq!(settle(&store, &events[0], Attempt::FIRST, None).await, Settled::Before, "a late copy is fenced off");
    assert_eq!(settle(&store, &events[0], Attempt::FIRST.next(), None).await, Settled::Now);
    assert_eq!(settle(&store, &events[1], Attempt::FIRST.next(), Some("again")).await, Settled::Now);
    assert_eq!(store.dead_letter(ids[1]).await.unwrap().unwrap().dead_letter.attempts, 2);
}

#[tokio::test]
async fn a_discarded_event_is_final_and_needs_a_reason() {
    let (store, database) = migrated().await;
    let ids: Vec<_> = heap(&store, 2).await.iter().map(|event| event.id).collect();
    let everything = EventFilter::default();
    assert!(matches!(discard(&store, &everything, &deed(" ")).await, Err(OperateError::NoReason)));
    assert_eq!(discard(&store, &EventFilter::of([ids[0]]), &deed("test data")).await.unwrap(), 1);
    assert_eq!(statuses(&database).await, ["dead 2", "discarded 1"]);
    assert_eq!(discard(&store, &everything, &deed("test data")).await.unwrap(), 2);
    assert!(store.replay(&ids, &deed("too late"), None).await.unwrap().is_empty());
    assert_eq!(database.count("select count(*) from audit where action = 'discard'").await, 3);
}

#[tokio::test]
async fn a_rehearsal_shows_what_would_be_written_and_writes_nothing() {
    let (store, database) = migrated().await;
    let event = heap(&store, 1).await.swap_remove(0);
    let registry = Registry::new().with("platform", Platform);
    let rehearsal = rehearse(&store, &registry, event.id).await.unwrap().unwrap();
    assert_eq!((rehearsal.outcome, rehearsal.changes[0]["row"]["id"].as_str()), ("succeeded", Some("u")));
    assert_eq!(database.count("select count(*) from platform_user").await, 0);
    assert_eq!(statuses(&database).await, ["dead 2"]);
}

#[tokio::test]
async fn a_replay_of_everything_goes_in_waves_and_ends_with_everything_done() {
    let (store, database) = migrated().await;
    heap(&store, 24).await;
    let worker = work(&store, |_| None);
    let mut waves = Vec::new();
    let order = ReplayOrder::new(EventFilter::default(), deed("fixed"));
    let report = replay(&store, None, &order, |report| waves.push(report.replayed)).await.unwrap();
    worker.abort();
    assert_eq!(waves, [1, 11, 25]);
    assert_eq!((report.replayed, report.succeeded, report.failed, report.halted), (25, 25, 0, None));
    assert_eq!(statuses(&database).await, ["succeeded 25"]);
}

#[tokio::test]
async fn a_replay_halts_at_the_canary_when_the_cause_is_not_fixed() {
    let (store, database) = migrated().await;
    heap(&store, 9).await;
    let worker = work(&store, |_| Some("member 1 not found"));
    let order = ReplayOrder::new(EventFilter::default(), deed("fixed, I hope"));
    let report = replay(&store, None, &order, |_| ()).await.unwrap();
    worker.abort();
    assert_eq!((report.replayed, report.failed), (1, 1));
    assert!(report.halted.unwrap().starts_with("1 of 1 failed again"));
    assert_eq!(statuses(&database).await, ["dead 10"]);
}

#[tokio::test]
async fn a_replay_without_a_worker_says_so() {
    let (store, _database) = migrated().await;
    heap(&store, 3).await;
    let patience = Duration::from_millis(50);
    let order = ReplayOrder { patience, ..ReplayOrder::new(EventFilter::default(), deed("")) };
    let report = replay(&store, None, &order, |_| ()).await.unwrap();
    assert!(report.halted.unwrap().ends_with("is a worker running?"));
}

#[tokio::test]
async fn without_a_canary_all_are_opened_at_a_rate_and_nothing_is_awaited() {
    let (store, database) = migrated().await;
    heap(&store, 9).await;
    let per_second = std::num::NonZeroU32::new(1000);
    let order = ReplayOrder { canary: None, per_second, ..ReplayOrder::new(EventFilter::default(), deed("")) };
    let report = replay(&store, None, &order, |_| ()).await.unwrap();
    assert_eq!((report.replayed, report.succeeded, report.halted), (10, 0, None));
    let worker = work(&store, |_| None);
    eventually("all replayed events are done", async || match statuses(&database).await {
        done if done == ["succeeded 10"] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    worker.abort();
}
