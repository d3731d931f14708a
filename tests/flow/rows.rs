//! The store as a library, for promises about rows: opened on a test's database, with its schema, with events in it.

use bytes::Bytes;
use jiff::SignedDuration;
use lychgate_common::{
    clock::Clock,
    event::{Event, EventId},
    queue::Shards,
    store::{Keys, NewEvent, Recorder, Store, StoreSettings, Write},
};
use lychgate_tests::Database;

/// A store on a database, as the product opens it.
pub(crate) fn store(database: &Database) -> Store {
    Store::open(&StoreSettings::new(database.url().into()), Clock::system()).unwrap()
}

/// A database with the product's schema and nothing in it.
pub(crate) async fn migrated() -> (Store, Database) {
    let database = Database::empty().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    (store, database)
}

/// Records an event, to be taken at once.
pub(crate) async fn record(store: &Store, preset: &str, kind: &str, body: &str) -> Event {
    let now = store.clock().now();
    let event = Event {
        id: EventId::new(now),
        source: preset.into(),
        preset: preset.into(),
        tenant: "".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: None,
        received_at: now,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let new = NewEvent {
        keys: Keys::default(),
        body_sha256: NewEvent::hash(&event.body),
        headers: r#"{"user-agent": "Platform-Webhooks/1.0"}"#.into(),
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        shard: Shards::ONE.pick(preset, event.id),
        due_at: None,
        event: event.clone(),
    };
    Recorder::new(store.clone(), SignedDuration::from_hours(336)).write(&[new]).await.unwrap();
    event
}
