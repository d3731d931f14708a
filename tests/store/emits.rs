//! Emitting: what is settled is told once, in the same transaction, and to nobody where nobody asked.

use std::{sync::Arc, time::Duration};

use lychgate_common::{
    change::{Change, Table, Version},
    clock::Clock,
    event::Attempt,
    message::Message,
    queue::{Queue, Shards, in_store::StoreQueue},
    row,
    secret::Secret,
    store::{
        AttemptError, Emitter, Group, GroupLimits, NewEvent, Settled, Settlement, Settler, Store, Verdict, WorkerName,
    },
    vault::Vault,
    webhook::{Draft, Policy},
};
use lychgate_tests::fact::PATIENCE;
use serde_json::json;
use tokio::sync::mpsc;

use crate::records::{group, store_at, webhook};

struct Stage {
    store: Store,
    settler: Group<Settlement, Settled>,
    emitter: Emitter,
    emitted: mpsc::Receiver<Message>,
}

impl Stage {
    async fn set(clock: Clock) -> Self {
        let store = store_at(clock).await;
        let queue = Queue::Store(StoreQueue::open(store.clone(), Arc::default()));
        let (emitter, emitted) = Emitter::new(&queue, Shards::ONE, Duration::from_secs(30));
        let name = WorkerName { worker: "w1".to_owned(), build: "test".to_owned() };
        // One writer: what is submitted while it writes the first is one batch.
        let limits = GroupLimits { writers: 1, items: 50, bytes: 4 << 20, waiting: 1024, patience: PATIENCE };
        let settler = Group::start(limits, Settler::new(store.clone(), name).telling(emitter.clone()));
        Self { store, settler, emitter, emitted }
    }

    async fn subscribe(&self, events: &[&str]) -> String {
        let vault = Vault::new(&Secret::new([7; 32]), &[]).unwrap();
        let draft = Draft::read(&json!({"url": "https://a.example/", "events": events}), &Policy::default()).unwrap();
        self.store.add_webhook(&draft, "test", &vault).await.unwrap().0.id
    }

    async fn recorded(&self, body: &str) -> NewEvent {
        let item = webhook(&self.store, None, body);
        group(&self.store).submit(item.clone()).await.unwrap();
        item
    }

    async fn settle(&self, item: &NewEvent, verdict: Verdict) -> Settled {
        self.settler.submit(settlement(item, verdict, Vec::new())).await.unwrap()
    }

    fn told(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.emitted.try_recv().ok()).collect()
    }
}

fn settlement(item: &NewEvent, verdict: Verdict, changes: Vec<Change>) -> Settlement {
    let failed = matches!(verdict, Verdict::Retry { .. } | Verdict::Dead { .. });
    let error =
        AttemptError { outcome: "permanent", class: "no".into(), message: "no".into(), stack: vec!["no".into()] };
    Settlement {
        event: item.event.clone(),
        traceparent: None,
        attempt: Attempt::FIRST,
        verdict,
        changes: changes.into(),
        reply: None,
        error: failed.then_some(error),
        started_at: item.event.received_at,
        took: Duration::from_millis(3),
    }
}

#[tokio::test]
async fn what_ended_well_is_told_once_to_each_who_asked_and_what_did_not_to_nobody() {
    let mut stage = Stage::set(Clock::system()).await;
    let (all, users) = (stage.subscribe(&["*"]).await, stage.subscribe(&["user.*"]).await);
    stage.subscribe(&["token.created", "user"]).await;
    let (good, ignored) = (stage.recorded("{}").await, stage.recorded("{}").await);
    let (retried, dead) = (stage.recorded("{}").await, stage.recorded("{}").await);
    assert_eq!(stage.settle(&good, Verdict::Succeeded).await, Settled::Now);
    assert_eq!(stage.settle(&good, Verdict::Succeeded).await, Settled::Before, "a copy");
    assert_eq!(stage.settle(&ignored, Verdict::Ignored("no handler".into())).await, Settled::Now);
    let at = stage.store.clock().now();
    assert_eq!(stage.settle(&retried, Verdict::Retry { climbed: 1, at, sweep_at: at }).await, Settled::Now);
    assert_eq!(stage.settle(&dead, Verdict::Dead { fingerprint: "00ff".into() }).await, Settled::Now);

    let told = stage.told();
    let pairs: Vec<_> = told.iter().map(|one| (one.event.subject.clone().unwrap(), one.event.tenant.clone())).collect();
    let expected = [(&good, &all), (&good, &users), (&ignored, &all), (&ignored, &users)];
    let expected = expected.map(|(item, id)| (item.event.id.to_string().into(), id.as_str().into()));
    assert_eq!(pairs, expected);
    let due = stage.store.claim_due(100, Duration::from_secs(60), &["platform".to_owned()]).await.unwrap();
    assert_eq!(due.len(), 4, "each is an event of the ledger, and due");
    for (delivery, _) in due {
        assert_eq!((&*delivery.event.source, &*delivery.event.preset), ("webhooks", "webhook-delivery"));
        let delivery = NewEvent { event: delivery.event, ..good.clone() };
        assert_eq!(stage.settle(&delivery, Verdict::Succeeded).await, Settled::Now);
    }
    assert!(stage.told().is_empty(), "deliveries are told to nobody");
}

#[tokio::test]
async fn of_a_batch_what_the_database_refuses_is_not_told() {
    static USER: Table = Table { name: "platform_user", key: &["source", "id"], columns: &["name"] };
    let mut stage = Stage::set(Clock::system()).await;
    stage.subscribe(&["*"]).await;
    let mut items = Vec::new();
    for _ in 0..5 {
        items.push(stage.recorded("{}").await);
    }
    let settled = items.iter().enumerate().map(|(n, item)| {
        let name = if n == 2 { "Ada\0" } else { "Ada" };
        let row = row! { "source" => "s", "id" => format!("u{n}"), "name" => name };
        let changes = vec![Change::merge(&USER, row, Version::of(&item.event))];
        stage.settler.submit(settlement(item, Verdict::Succeeded, changes))
    });
    let settled = futures_util::future::join_all(settled).await;
    assert_eq!(settled.iter().filter(|one| one.is_ok()).count(), 4);
    let told: Vec<_> = stage.told().into_iter().map(|one| one.event.subject.unwrap()).collect();
    assert_eq!(told.len(), 4);
    assert!(!told.contains(&items[2].event.id.to_string().into()));
}

#[tokio::test]
async fn while_there_is_known_to_be_no_webhook_nobody_is_looked_for() {
    let mut stage = Stage::set(Clock::system()).await;
    assert!(!stage.store.any_webhook().await.unwrap());
    stage.subscribe(&["*"]).await;
    assert!(stage.store.any_webhook().await.unwrap());
    stage.emitter.somebody(false);
    let quiet = stage.recorded("{}").await;
    assert_eq!(stage.settle(&quiet, Verdict::Succeeded).await, Settled::Now);
    stage.emitter.somebody(true);
    let heard = stage.recorded("{}").await;
    assert_eq!(stage.settle(&heard, Verdict::Succeeded).await, Settled::Now);
    let told: Vec<_> = stage.told().into_iter().map(|one| one.event.subject.unwrap()).collect();
    assert_eq!(told, [heard.event.id.to_string().into()]);
}
