//! Platform Core's tables: what the handler declares is what the migrations make, and its changes can be written.

use lychgate_worker::{
    handler::Handler,
    handlers::platform::{KINDS, Platform, TABLES},
};

use crate::rows::{migrated, record};

/// Data that every event type finds its part in.
const DATA: &str = r#"{"data": {
    "user": {"id": "user_789", "username": "john.doe@example.com", "name": "John Doe", "permissions": ["read"]},
    "session": {"id": "s1", "ip_address": "192.0.2.1"},
    "token": {"user_id": "user_789", "token_type": "access_token", "expires_at": "2024-01-15T12:00:00Z", "scopes": ["read"]},
    "rate_limit": {"user_id": "user_789", "endpoint": "/v2/users/me", "limit": 1000, "window": 3600, "exceeded_by": 50},
    "error": {"message": "upstream timed out", "status": 504},
    "maintenance": {"id": "m1", "starts_at": "2024-02-01T02:00:00Z", "services": ["api"]}}}"#;

#[tokio::test]
async fn the_declared_tables_are_those_of_the_schema() {
    let (_, database) = migrated().await;
    for table in TABLES {
        let name = table.name;
        let of = |sql: &str| sql.replace("$table", name);
        let columns = database
            .column(&of(
                "select column_name::text from information_schema.columns where table_name = '$table' order by 1",
            ))
            .await;
        let mut declared: Vec<_> = table.key.iter().chain(table.columns).map(|name| (*name).to_owned()).collect();
        if columns.iter().any(|column| column == "versions") {
            declared.push("versions".to_owned());
        }
        declared.sort();
        assert_eq!(columns, declared, "{name}");
        let key = database
            .column(&of("select a.attname::text from pg_index i, unnest(i.indkey) with ordinality as k (n, nth)
                join pg_attribute a on a.attnum = k.n
                where i.indrelid = '$table'::regclass and i.indisprimary and a.attrelid = i.indrelid order by nth"))
            .await;
        assert_eq!(key, table.key, "{name}");
    }
}

#[tokio::test]
async fn the_changes_of_every_event_can_be_written_twice_and_in_any_order() {
    let (store, database) = migrated().await;
    let mut changes = Vec::new();
    for kind in KINDS {
        let event = record(&store, "platform", kind, DATA).await;
        changes.extend(Platform.handle(&event).await.unwrap().changes);
    }
    let mut before: Option<Vec<String>> = None;
    for pass in 0..2 {
        for change in &changes {
            store.apply(std::slice::from_ref(change)).await.unwrap();
        }
        let mut rows = Vec::new();
        for table in TABLES {
            let text = database.column(&format!("select to_jsonb(t)::text from {} t order by 1", table.name)).await;
            assert!(!text.is_empty(), "{} is empty", table.name);
            rows.extend(text);
        }
        if let Some(before) = before.replace(rows.clone()) {
            assert_eq!(rows, before, "pass {pass}");
        }
        changes.reverse();
        if pass == 0 {
            let all: Vec<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
            database.connect().await.batch_execute(&format!("truncate {}", all.join(", "))).await.unwrap();
        }
    }
    let state = "select state from platform_token";
    assert_eq!(database.column(state).await, ["expired"]);
    assert_eq!(database.count("select count(*) from platform_session_state where ended_at is null").await, 0);
    assert_eq!(database.count("select count(*) from platform_token_history").await, 4);
}
