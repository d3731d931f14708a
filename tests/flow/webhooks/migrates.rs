//! An installation of the release before webhooks: migrated, and its open events are told to whoever subscribes.

use jiff::SignedDuration;
use lychgate_common::{clock::Clock, event::EventId};
use lychgate_tests::{
    Database, Directory, Program, eventually,
    receiver::Answer,
    stage::{self, ran},
};

use super::*;

/// The last migration of the release before.
const BEFORE: i32 = 11;

/// A database as that release has left it, with an open event of yesterday.
async fn of_before(event: EventId) -> Database {
    let (newest, database) = (Database::fresh().await, Database::empty().await);
    let client = database.connect().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../common/migrations");
    let history =
        "select version, name, applied_on, checksum from refinery_schema_history where version <= $1 order by 1";
    client
        .batch_execute(
            "create table refinery_schema_history
                (version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))",
        )
        .await
        .unwrap();
    for row in newest.connect().await.query(history, &[&BEFORE]).await.unwrap() {
        let (version, name): (i32, String) = (row.get(0), row.get(1));
        let sql = std::fs::read_to_string(format!("{folder}/V{version}__{name}.sql")).unwrap();
        client.batch_execute(&sql).await.unwrap();
        let values = [row.get::<_, String>(2), row.get(3)];
        let done = "insert into refinery_schema_history values ($1, $2, $3, $4)";
        client.execute(done, &[&version, &name, &values[0], &values[1]]).await.unwrap();
    }
    let day = SignedDuration::from_hours(24);
    let now = Clock::system().now();
    let (from, to) = (now - day, now);
    let midnight = |at: jiff::Timestamp| jiff::Timestamp::from_second(at.as_second() / 86_400 * 86_400).unwrap();
    let (low, high) = (EventId::floor(midnight(from)), EventId::floor(midnight(to)));
    let name = midnight(from).strftime("%Y%m%d").to_string();
    for table in ["event", "event_state", "attempt", "forward_delivery"] {
        let made = format!("create table {table}_{name} partition of {table} for values from ('{low}') to ('{high}')");
        client.batch_execute(&made).await.unwrap();
    }
    let body = br#"{"id": "evt_1", "event": "push"}"#.as_slice();
    client
        .execute(
            "insert into event (id, source, preset, kind, received_at, body, body_sha256)
             values ($1, 'github', 'github', 'push', $2, $3, sha256($3))",
            &[&event.uuid(), &from, &body],
        )
        .await
        .unwrap();
    let state = "insert into event_state (id, source, shard, due_at) values ($1, 'github', 0, '-infinity')";
    client.execute(state, &[&event.uuid()]).await.unwrap();
    database
}

#[tokio::test]
async fn a_database_of_the_release_before_is_migrated_and_its_open_events_are_told() {
    let event = EventId::new(Clock::system().now() - SignedDuration::from_hours(24));
    let database = of_before(event).await;
    let settings = stage::settings(database.url(), None).with(&settings("")).with_sources();
    let directory = Directory::new("before");
    let file = directory.path().join("lychgate.toml");
    settings.write(&file);
    let migrated = ran(Program::Lychgate.command().arg("migrate").arg("--config").arg(&file));
    assert_eq!(migrated.code, 0, "{migrated:?}");

    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let mut gateway = stage::gateway(&settings);
    gateway.ready().await;
    let asked = request("POST", "", &json!({"url": receiver.url(), "events": ["push"]}));
    assert_eq!(asked.send(gateway.address("listen").await).await.unwrap().status, 201);
    let mut worker = stage::worker(&settings);
    worker.ready().await;
    eventually("the event of yesterday is told", async || match told(&receiver, event.uuid()).len() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
}
