//! Every event of document D has its effect, bad ones name the field, and the order of arrival does not matter.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::event::EventId;
use serde_json::{Value, json};

use super::*;

const NOON: &str = "2024-01-15T12:00:00Z";

fn event(kind: &str, minute: i64, data: &Value) -> Event {
    let at: Timestamp = NOON.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute);
    let body = json!({"id": "webhook_1", "event": kind, "timestamp": at, "data": data, "api_version": "2.1.0"});
    Event {
        id: EventId::new(at),
        source: "platform".into(),
        preset: "platform".into(),
        tenant: "".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: Some(at),
        received_at: at,
        body: Bytes::from(body.to_string()),
    }
}

fn handled(kind: &str, data: &Value) -> Vec<Change> {
    changes(&event(kind, 0, data)).unwrap().changes
}

/// The only change's table and the columns asked for.
fn one(kind: &str, data: &Value, columns: &[&str]) -> (&'static str, Vec<Value>) {
    let changes = handled(kind, data);
    assert_eq!(changes.len(), 1, "{changes:?}");
    (changes[0].table().name, cells(&changes[0], columns))
}

fn cells(change: &Change, columns: &[&str]) -> Vec<Value> {
    let (Change::Merge { row, .. } | Change::Append { row, .. }) = change;
    columns.iter().map(|column| row.get(*column).cloned().unwrap_or(json!("absent"))).collect()
}

fn john() -> Value {
    json!({"user": {"id": "user_789", "username": "john.doe@example.com", "name": "John Doe",
        "created_at": "2024-01-15T10:30:00Z", "permissions": ["read", "write"], "shoe_size": 44}})
}

fn refreshed() -> Value {
    json!({"token": {"user_id": "user_789", "token_type": "access_token", "expires_at": "2024-01-15T12:00:00Z",
        "scopes": ["read", "write"]}})
}

#[test]
fn the_documents_user_created_creates_the_user() {
    let (table, row) =
        one("user.created", &john(), &["source", "id", "username", "permissions", "created_at", "shoe_size"]);
    assert_eq!(table, "platform_user");
    let expected =
        json!(["platform", "user_789", "john.doe@example.com", ["read", "write"], "2024-01-15T10:30:00Z", "absent"]);
    assert_eq!(Value::from(row), expected);
}

#[test]
fn an_update_sets_what_it_names_and_nothing_else() {
    let data = json!({"user": {"id": 789, "name": null}});
    let (_, row) = one("user.updated", &data, &["id", "name", "username", "permissions", "deleted_at"]);
    assert_eq!(Value::from(row), json!(["789", null, "absent", "absent", "absent"]));
}

#[test]
fn a_deletion_marks_the_user() {
    let (table, row) = one("user.deleted", &json!({"user": {"id": "user_789"}}), &["deleted_at"]);
    assert_eq!((table, Value::from(row)), ("platform_user", json!([NOON])));
}

#[test]
fn login_and_logout_open_and_end_a_session() {
    let data = json!({"user": {"id": "u"}, "session": {"id": "s", "ip_address": "192.0.2.1"}});
    let login = handled("user.login", &data);
    assert_eq!(cells(&login[0], &["id", "user_id", "started_at", "ip_address"]), ["s", "u", NOON, "192.0.2.1"]);
    assert_eq!(cells(&login[1], &["id", "last_login_at"]), ["u", NOON]);
    let (table, row) = one("user.logout", &data, &["id", "user_id", "ended_at"]);
    assert_eq!((table, Value::from(row)), ("platform_session", json!(["s", "u", NOON])));
}

#[test]
fn without_a_session_id_a_login_is_its_own_session_and_a_logout_ends_them_all() {
    let data = json!({"user": {"id": "u"}});
    let event = event("user.login", 0, &data);
    let login = changes(&event).unwrap().changes;
    assert_eq!(cells(&login[0], &["id"]), [format!("event:{}", event.id)]);
    let (table, row) = one("user.logout", &data, &["id", "logged_out_at"]);
    assert_eq!((table, Value::from(row)), ("platform_user", json!(["u", NOON])));
}

#[test]
fn a_token_has_a_state_and_a_history() {
    for (kind, state, change, time) in [
        ("token.created", "active", "created", "issued_at"),
        ("token.refreshed", "active", "refreshed", "refreshed_at"),
        ("token.revoked", "revoked", "revoked", "revoked_at"),
        ("token.expired", "expired", "expired", "expired_at"),
    ] {
        let both = handled(kind, &refreshed());
        assert_eq!(
            cells(&both[0], &["user_id", "token_type", "token_id", "state", time]),
            ["user_789", "access_token", "", state, NOON]
        );
        assert_eq!(
            (both[1].table().name, cells(&both[1], &["change", "at"])),
            ("platform_token_history", vec![json!(change), json!(NOON)])
        );
    }
}

#[test]
fn a_rate_limit_violation_is_recorded_with_numbers_as_numbers() {
    let data = json!({"rate_limit": {"user_id": "user_789", "endpoint": "/v2/users/me", "limit": "1000", "window": 3600,
        "exceeded_by": 50}});
    let (table, row) =
        one("api.rate_limit_exceeded", &data, &["endpoint", "request_limit", "window_seconds", "exceeded_by"]);
    assert_eq!((table, Value::from(row)), ("platform_rate_limit_violation", json!(["/v2/users/me", 1000, 3600, 50])));
}

#[test]
fn an_api_error_is_recorded() {
    let data = json!({"error": {"message": "upstream timed out", "status": 504, "endpoint": "/v2/users"}});
    let (table, row) = one("api.error", &data, &["message", "status", "endpoint", "code"]);
    assert_eq!(
        (table, Value::from(row)),
        ("platform_api_error", json!(["upstream timed out", 504, "/v2/users", null]))
    );
}

#[test]
fn a_maintenance_window_is_kept_under_its_id() {
    let data = json!({"maintenance": {"id": "m1", "starts_at": "2024-02-01T02:00:00Z", "status": "scheduled"}});
    let (table, row) = one("system.maintenance", &data, &["id", "starts_at", "status", "ends_at"]);
    let expected = json!(["m1", "2024-02-01T02:00:00Z", "scheduled", "absent"]);
    assert_eq!((table, Value::from(row)), ("platform_maintenance", expected));
}

#[test]
fn every_event_of_the_document_has_an_effect_and_declares_what_it_sets() {
    let data = json!({
        "user": john()["user"], "token": refreshed()["token"],
        "rate_limit": {"endpoint": "/", "limit": 1, "window": 1, "exceeded_by": 1},
        "error": {"message": "m"}, "maintenance": {"starts_at": NOON, "ends_at": NOON, "title": "t", "services": ["api"]},
    });
    for kind in KINDS {
        let changes = handled(kind, &data);
        assert!(!changes.is_empty(), "{kind}");
        for change in changes {
            let (Change::Merge { row, .. } | Change::Append { row, .. }) = &change;
            let table = change.table();
            assert!(TABLES.contains(&table));
            assert!(table.key.iter().all(|key| row.contains_key(*key)), "{kind}: {row:?}");
            assert!(row.keys().all(|name| table.key.iter().chain(table.columns).any(|known| known == name)), "{row:?}");
        }
    }
}

#[test]
fn an_unknown_type_is_ignored_and_says_so() {
    let handled = changes(&event("user.promoted", 0, &json!(null))).unwrap();
    assert_eq!(handled.ignored.as_deref(), Some("no use for the event type user.promoted"));
}

#[test]
fn what_is_missing_or_wrong_is_a_permanent_failure_that_names_its_pointer() {
    for (kind, data, expected) in [
        ("user.created", json!(null), "/data is missing"),
        ("user.created", json!({}), "/data/user is missing"),
        ("user.created", json!({"user": {"id": "u"}}), "/data/user/username is missing"),
        ("user.created", json!({"user": {"id": " ", "username": "n"}}), "/data/user/id is empty"),
        ("user.deleted", json!({"user": {"id": {}}}), "/data/user/id must be text without NUL, and is an object"),
        (
            "user.updated",
            json!({"user": {"id": "u", "permissions": "all"}}),
            "/data/user/permissions must be a list of texts, and is text",
        ),
        ("token.created", json!({"token": {"user_id": "u", "token_type": "t"}}), "/data/token/expires_at is missing"),
        ("token.revoked", json!({"token": {"token_type": "t"}}), "/data/token/user_id is missing"),
        (
            "api.rate_limit_exceeded",
            json!({"rate_limit": {"endpoint": "/", "limit": "many"}}),
            "/data/rate_limit/limit must be a whole number, and is text",
        ),
        (
            "system.maintenance",
            json!({"maintenance": {"starts_at": NOON, "ends_at": "2024-01-01T00:00:00Z"}}),
            "/data/maintenance/ends_at is before the window starts",
        ),
    ] {
        let failure = changes(&event(kind, 0, &data)).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)));
        assert_eq!(failure.cause().message, expected);
    }
    let garbage = Event { body: Bytes::from_static(b"{"), ..event("user.created", 0, &json!({})) };
    assert_eq!(changes(&garbage).unwrap_err().cause().class, "malformed_payload");
}

/// A row: per column the age of its value, and the value.
type Cells = BTreeMap<String, (Option<Version>, Value)>;

/// What the applier promises, in a few lines: per column the newest version wins, history is kept once.
fn model(events: &[Event]) -> BTreeMap<(&'static str, Vec<String>), Cells> {
    let mut rows: BTreeMap<_, Cells> = BTreeMap::new();
    for change in events.iter().flat_map(|event| changes(event).unwrap().changes) {
        let table = change.table();
        let key = (table.name, table.key.iter().map(|key| cells(&change, &[key])[0].to_string()).collect::<Vec<_>>());
        let (row, version) = match change {
            Change::Merge { row, version, .. } => (row, Some(version)),
            Change::Append { row, .. } => (row, None),
        };
        let stored = rows.entry(key).or_default();
        for (column, value) in row {
            if stored.get(&column).is_none_or(|(age, _)| *age <= version) {
                stored.insert(column, (version.clone(), value));
            }
        }
    }
    rows.values_mut().for_each(|row| row.values_mut().for_each(|(age, _)| *age = None));
    rows
}

#[test]
fn any_order_of_arrival_gives_the_same_rows() {
    let user = |name: &str| json!({"user": {"id": "u", "username": "u", "name": name}, "session": {"id": "s"}});
    let mut events: Vec<_> = [
        ("user.created", user("a")),
        ("user.updated", user("b")),
        ("user.login", user("")),
        ("user.logout", user("")),
        ("user.updated", user("c")),
        ("user.deleted", user("")),
        ("token.created", refreshed()),
        ("token.refreshed", refreshed()),
        ("token.expired", refreshed()),
        ("token.refreshed", refreshed()),
    ]
    .into_iter()
    .zip(0..)
    .map(|((kind, data), minute)| event(kind, minute, &data))
    .collect();
    let expected = model(&events);
    let user = &expected[&("platform_user", vec!["\"platform\"".to_owned(), "\"u\"".to_owned()])];
    assert_eq!(user["name"].1, "c");
    assert_eq!(user["deleted_at"].1, "2024-01-15T12:05:00Z");
    // Every rotation of every stride that visits all of them: 40 orders, forwards and backwards among them.
    let n = events.len();
    for stride in [1, 3, 7, 9] {
        for start in 0..n {
            let order: Vec<_> = (0..n).map(|i| events[(start + i * stride) % n].clone()).collect();
            assert_eq!(model(&order), expected);
        }
    }
    events.extend(events.clone());
    assert_eq!(model(&events), expected, "twice is once");
}
