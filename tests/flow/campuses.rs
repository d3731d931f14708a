//! Campuses against a real PostgreSQL: secrets and their rotation, the directory, the document's views.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use lychgate_common::{
    campus::{Campus, CampusError, Directory, DirectorySettings, SyncMethod},
    clock::Clock,
    secret::Secret,
    store::{Store, StoreSettings},
    vault::Vault,
};
use lychgate_tests::Database;
use lychgate_worker::operate::campus::{self, CampusToAdd};

pub(crate) fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(&Secret::new([7; 32]), &[]).unwrap())
}

/// A directory that remembers nothing, so that a test sees every change at once.
pub(crate) fn directory(store: &Store) -> Arc<Directory> {
    let forgetful =
        DirectorySettings { known: Duration::ZERO, unknown: Duration::ZERO, again: Duration::ZERO, names: 10 };
    Arc::new(Directory::new(store.clone(), vault(), forgetful))
}

pub(crate) fn store(database: &Database, clock: &Clock) -> Store {
    Store::open(&StoreSettings::new(Secret::from(database.url())), clock.clone()).unwrap()
}

pub(crate) fn to_add(core_url: &str) -> CampusToAdd {
    CampusToAdd {
        church_id: "church-1".into(),
        name: Some("Jakarta".into()),
        core_url: core_url.into(),
        core_token: Secret::from("core-token"),
        sync_method: SyncMethod::Webhook,
        filters: None,
        initial_engagement: None,
        time_zone: Some("Asia/Jakarta".into()),
    }
}

fn secrets(campus: &Campus, clock: &Clock) -> Vec<Secret> {
    campus.active_secrets(clock.now()).cloned().collect()
}

#[tokio::test]
async fn both_secrets_verify_during_a_rotation_and_only_the_new_one_after_it() {
    let database = Database::fresh().await;
    let clock = Clock::standing_at("2025-11-20T00:00:00Z".parse().unwrap());
    let store = store(&database, &clock);
    let first = campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap();
    let again = campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
    clock.advance(SignedDuration::from_secs(1));
    let day = Duration::from_secs(86_400);
    let second = campus::rotate_secret(&store, &vault(), "church-1", day, "ops").await.unwrap();

    let directory = directory(&store);
    let found = directory.find("church-1").await.unwrap().unwrap();
    assert_eq!(secrets(&found, &clock), [second.webhook_secret.clone(), first.webhook_secret]);
    assert_eq!(found.core_token, Secret::from("core-token"));
    let by_id = directory.find(&first.campus_id.to_string()).await.unwrap().unwrap();
    assert_eq!(by_id.id, found.id);

    clock.advance(SignedDuration::from_hours(25));
    assert_eq!(secrets(&found, &clock), [second.webhook_secret], "also one that was looked up before");
    let third = campus::rotate_secret(&store, &vault(), "church-1", Duration::ZERO, "ops").await.unwrap();
    let found = directory.find("church-1").await.unwrap().unwrap();
    assert_eq!(secrets(&found, &clock), [third.webhook_secret]);
    assert_eq!(database.count("select count(*) from campus_secret").await, 1);
    assert_eq!(database.count("select count(*) from audit where action like 'campus.%'").await, 3);
    let plain = "select count(*) from campus_sync where position('core-token'::bytea in core_token) > 0";
    assert_eq!(database.count(plain).await, 0);
}

#[tokio::test]
async fn a_change_takes_effect_without_a_restart_and_unknown_campuses_are_unknown() {
    let database = Database::fresh().await;
    let store = store(&database, &Clock::system());
    let directory = directory(&store);
    assert!(directory.find("church-1").await.unwrap().is_none());
    campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap();
    assert!(directory.find("church-1").await.unwrap().unwrap().takes_webhooks());
    campus::enable(&store, "church-1", false, "ops").await.unwrap();
    assert!(!directory.find("church-1").await.unwrap().unwrap().takes_webhooks());
    for strange in ["", "church\0", "' or 1=1", &"x".repeat(300)] {
        assert!(directory.find(strange).await.unwrap().is_none());
    }
    let unknown = campus::enable(&store, "nowhere", true, "ops").await.unwrap_err();
    assert!(matches!(unknown, CampusError::Unknown(_)));
    let listed = campus::list(&store).await.unwrap();
    assert_eq!((listed.len(), listed[0].secrets.len(), listed[0].enabled), (1, 1, false));
}

#[tokio::test]
async fn a_refused_request_has_the_database_asked_again_but_not_every_one_of_them() {
    let database = Database::fresh().await;
    let clock = Clock::system();
    let store = store(&database, &clock);
    campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap();
    let hour = Duration::from_secs(3600);
    let slow = DirectorySettings { known: hour, unknown: hour, again: hour, names: 10 };
    let directory = Directory::new(store.clone(), vault(), slow);
    let rotate =
        async || campus::rotate_secret(&store, &vault(), "church-1", hour, "ops").await.unwrap().webhook_secret;
    let newest = |campus: &Campus| secrets(campus, &clock).remove(0);

    assert!(directory.find_newer("church-1", Instant::now()).await.is_none(), "nobody has asked for it yet");
    let first = directory.find("church-1").await.unwrap().unwrap();
    let second = rotate().await;
    assert_eq!(newest(&directory.find("church-1").await.unwrap().unwrap()), newest(&first), "remembered");
    let asked = Instant::now();
    let found = directory.find_newer("church-1", asked).await.unwrap();
    assert_eq!(newest(&found), second);
    let same = directory.find_newer("church-1", asked).await.unwrap();
    assert!(Arc::ptr_eq(&found, &same), "another request of that moment is served by the same look");
    assert_eq!(newest(&directory.find("church-1").await.unwrap().unwrap()), second);

    rotate().await;
    assert!(directory.find_newer("church-1", Instant::now()).await.is_none(), "too soon after the last look");
    assert!(directory.find("nobody").await.unwrap().is_none());
    assert!(directory.find_newer("nobody", asked).await.is_none());
}

#[tokio::test]
async fn after_a_change_of_the_encryption_key_the_old_one_can_go() {
    let database = Database::fresh().await;
    let store = store(&database, &Clock::system());
    let added = campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap();
    let (new, old) = (Secret::new([8; 32]), Secret::new([7; 32]));
    let both = Vault::new(&new, &[old]).unwrap();
    assert_eq!(store.reseal_campuses(&both).await.unwrap(), 2);
    assert_eq!(store.reseal_campuses(&both).await.unwrap(), 0);
    let found = store.find_campus("church-1", &Vault::new(&new, &[]).unwrap()).await.unwrap().unwrap();
    assert_eq!(secrets(&found, &Clock::system()), [added.webhook_secret]);
    assert!(matches!(store.find_campus("church-1", &vault()).await, Err(CampusError::Vault(_))));
}

#[tokio::test]
async fn webhook_logs_shows_accepted_and_refused_deliveries_and_survives_bodies_that_are_no_json() {
    let database = Database::fresh().await;
    let store = store(&database, &Clock::system());
    let added = campus::add(&store, &vault(), to_add("https://core.example.org"), "ops").await.unwrap();
    let client = database.connect().await;
    let body = |text: &str| text.as_bytes().to_vec();
    let deep = "[".repeat(20_000);
    for (position, body) in [
        body(r#"{"event_type":"member.updated","church_id":"church-1","member_id":"m1"}"#),
        body("not json"),
        vec![0xff, 0x00, 0xfe],
        body(r#"{"event_type":"a\u0000b"}"#),
        body(&deep),
    ]
    .iter()
    .enumerate()
    {
        let id = lychgate_common::event::EventId::new(store.clock().now()).uuid();
        client
            .execute(
                "insert into delivery_log (id, received_at, source, outcome, reason, status, authentic, body, preset)
                 values ($1, now(), 'ours', 'refused', 'signature', 401, $2, $3, 'faithflow')",
                &[&id, &(position == 0), body],
            )
            .await
            .unwrap();
    }
    client
        .execute(
            "insert into event (id, source, preset, tenant, kind, subject, received_at, body, body_sha256)
             values ($1, 'ours', 'faithflow', $2, 'member.deleted', 'm2', now(), '{}', '')",
            &[&lychgate_common::event::EventId::new(store.clock().now()).uuid(), &added.campus_id.to_string()],
        )
        .await
        .unwrap();
    let rows = client.query("select * from webhook_logs order by received_at", &[]).await.unwrap();
    assert_eq!(rows.len(), 6);
    let of = |member: &str| {
        let row = rows.iter().find(|row| row.get::<_, Option<&str>>("member_id") == Some(member)).unwrap();
        (row.get("event_type"), row.get("campus_id"), row.get::<_, bool>("signature_valid"))
    };
    assert_eq!(of("m1"), (Some("member.updated"), Some(added.campus_id), true));
    assert_eq!(of("m2"), (Some("member.deleted"), Some(added.campus_id), true));
    assert_eq!(database.count("select count(*) from webhook_logs where not signature_valid").await, 4);
}
