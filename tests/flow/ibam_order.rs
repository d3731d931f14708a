//! IBAM's events in any order of arrival, on real tables: the rows are the same. Those of one second, too.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    event::{Event, EventId},
    queue::Shards,
    store::{Keys, NewEvent, Recorder, Store, Write},
};
use lychgate_tests::Database;
use lychgate_worker::{handler::Handler, handlers::systemeio::TABLES};
use serde_json::{Value, json};

use crate::{
    ibam::{catalogue, handler},
    rows::migrated,
};

/// An event as its sender told it: which second of the story, and under which id.
#[derive(Clone)]
struct Told {
    preset: &'static str,
    kind: &'static str,
    second: i64,
    body: Value,
}

fn told(preset: &'static str, kind: &'static str, second: i64, body: Value) -> Told {
    Told { preset, kind, second, body }
}

/// Records what was told, the later of one second under the larger message id.
async fn recorded(store: &Store, start: Timestamp, nth: usize, told: &Told) -> Event {
    let now = store.clock().now();
    let event = Event {
        id: EventId::new(now),
        source: told.preset.into(),
        preset: told.preset.into(),
        tenant: "".into(),
        kind: told.kind.into(),
        subject: None,
        occurred_at: Some(start + SignedDuration::from_secs(told.second)),
        received_at: now,
        body: Bytes::from(told.body.to_string()),
    };
    let new = NewEvent {
        keys: Keys { key: Some(format!("01a0e483-09fb-7d11-ac67-{nth:012x}")), ..Keys::default() },
        body_sha256: NewEvent::hash(&event.body),
        headers: "{}".into(),
        content_type: None,
        traceparent: None,
        shard: Shards::ONE.pick(told.preset, event.id),
        due_at: None,
        event: event.clone(),
    };
    Recorder::new(store.clone(), SignedDuration::from_hours(336)).write(&[new]).await.unwrap();
    event
}

/// Handles the events in this order, from nothing; gives every row that is there then.
async fn rows(store: &Store, database: &Database, events: &[&Event]) -> Vec<String> {
    let names: Vec<&str> = TABLES.iter().map(|table| table.name).filter(|name| *name != "courses").collect();
    let empty = format!(
        "truncate {}, email_queue cascade; delete from courses where course_id like 'systeme%'",
        names.join(", ")
    );
    database.connect().await.batch_execute(&empty).await.unwrap();
    for event in events {
        let changes = handler(store, &event.preset).handle(event).await.unwrap().changes;
        store.apply(&changes).await.unwrap();
    }
    let mut all = Vec::new();
    for table in TABLES {
        // Without the versions' ages, what is random, and which of two tellings of one sale came first.
        let also = if table.name == "payment_history" { "- 'event_id' - 'source'" } else { "" };
        let sql = format!(
            "select '{0} ' || (to_jsonb(t) - 'versions' - 'id' - 'magic_token' - 'magic_token_expires_at' - 'created_at' - 'email_confirmed_at' {also})::text
             from {0} t order by 1",
            table.name
        );
        all.extend(database.column(&sql).await);
    }
    all
}

/// Twelve orders, the story's own and its reverse among them.
async fn any_order_gives_the_same(story: &[Told]) -> (Vec<String>, Database) {
    let (store, database) = migrated().await;
    catalogue(&store).await;
    let start = store.clock().now().round(jiff::Unit::Second).unwrap() - SignedDuration::from_hours(1);
    let mut events = Vec::new();
    for (nth, told) in story.iter().enumerate() {
        events.push(recorded(&store, start, nth, told).await);
    }
    let mut order: Vec<&Event> = events.iter().collect();
    let expected = rows(&store, &database, &order).await;
    order.reverse();
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..11 {
        assert_eq!(rows(&store, &database, &order).await, expected);
        for i in (1..order.len()).rev() {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(i, usize::try_from((dice >> 33) % (i as u64 + 1)).unwrap());
        }
    }
    (expected, database)
}

fn tagged(tags: &[&str]) -> Value {
    let tags: Vec<Value> = tags.iter().zip(10..).map(|(name, id)| json!({"id": id, "name": name})).collect();
    json!({"contact": {"id": 42, "email": "jane@example.com", "locale": "en", "tags": tags, "fields":
        [{"slug": "first_name", "value": "Jane"}, {"slug": "surname", "value": "Doe"}]}, "tag": {"id": 12, "name": "Member"}})
}

fn sale() -> Value {
    json!({"customer": {"contactId": 42, "email": "jane@example.com", "fields": {"first_name": "Jane"}},
        "order": {"id": 9, "totalPrice": 1900}, "orderItem": {"resources": [{"course": {"id": 680_647}}, {"course": {"id": 1}}]},
        "pricePlan": {"id": 3, "name": "Gold", "type": "subscription", "currency": "eur"}})
}

#[tokio::test]
async fn learning_comes_out_the_same_in_any_order_and_a_sale_told_at_two_addresses_is_one_line_of_history() {
    let enrolled = json!({"type": "contact.course.enrolled", "data": {"course": {"id": 5},
        "contact": {"id": 42, "email": "jane@example.com", "fields": {"first_name": "Jane"}}}});
    let story = [
        told("systemeio-automation", "contact.course.enrolled", 0, enrolled),
        told("systemeio", "CONTACT_CREATED", 1, json!({"contact": tagged(&[])["contact"]})),
        told("systemeio", "CONTACT_TAG_ADDED", 2, tagged(&["Member"])),
        told("systemeio", "SALE_NEW", 3, sale()),
        told("systeme-membership", "SALE_NEW", 3, sale()),
        told("systemeio", "CONTACT_TAG_REMOVED", 4, tagged(&[])),
        told("systemeio", "SALE_CANCELED", 5, sale()),
        told("systemeio", "CONTACT_OPT_IN", 6, json!({"contact": tagged(&[])["contact"]})),
        told("systemeio", "CONTACT_TAG_ADDED", 7, tagged(&["Member"])),
        told("systemeio", "CONTACT_TAG_REMOVED", 8, tagged(&[])),
    ];
    let (_, database) = any_order_gives_the_same(&story).await;
    let lines = "select payment_id || ' ' || change from payment_history order by at";
    assert_eq!(database.column(lines).await, ["order:9 paid", "order:9 cancelled"]);
    let profile = "select name || ' ' || (fields->>'surname') from user_profiles";
    assert_eq!(database.column(profile).await, ["Jane Doe Doe"]);
}

#[tokio::test]
async fn a_tag_taken_and_given_in_one_second_is_as_the_sender_numbered_it() {
    for (first, last, status) in
        [("CONTACT_TAG_REMOVED", "CONTACT_TAG_ADDED", "active"), ("CONTACT_TAG_ADDED", "CONTACT_TAG_REMOVED", "ended")]
    {
        let story = [told("systemeio", first, 1, tagged(&[])), told("systemeio", last, 1, tagged(&[]))];
        let (_, database) = any_order_gives_the_same(&story).await;
        assert_eq!(database.column("select status from course_enrolments").await, [status]);
    }
}

#[tokio::test]
async fn memberships_come_out_the_same_in_any_order() {
    let later = (lychgate_common::clock::Clock::system().now() + SignedDuration::from_hours(240)).to_string();
    let of = |kind: &'static str, second: i64, name: &str, value: Value| {
        let data = json!({"contact": {"email": "jane@example.com", "fields": {"first_name": "Jane"}}, name: value});
        told("systeme-membership", kind, second, json!({"type": kind, "data": data}))
    };
    let story = [
        of("membership.created", 0, "membership", json!({"tier": "gold"})),
        of("subscription.created", 0, "subscription", json!({"id": "s", "amount_cents": 1900, "currency": "eur"})),
        of("payment.confirmed", 1, "payment", json!({"id": "p", "amount_cents": 1900, "currency": "eur"})),
        of("subscription.past_due", 2, "subscription", json!({"id": "s"})),
        of("membership.tier_changed", 3, "membership", json!({"tier": "silver"})),
        of("membership.paused", 3, "membership", json!({})),
        of("membership.renewed", 4, "membership", json!({"tier": "silver"})),
        of("payment.refunded", 5, "payment", json!({"id": "p"})),
        of("access_level.changed", 6, "access_level", json!({"level": "leader"})),
        of("membership.cancelled", 7, "membership", json!({"ends_at": later})),
        of("subscription.cancelled", 7, "subscription", json!({"id": "s"})),
    ];
    let (_, database) = any_order_gives_the_same(&story).await;
    let now = "select concat_ws(' ', tier, m.status, level, until is not null, s.status)
        from memberships m join access_levels a using (email, via) join subscriptions s using (email)";
    assert_eq!(database.column(now).await, ["silver cancelled silver t cancelled"]);
    let lines = "select concat_ws(' ', level, reason) from access_level_history where until is not null";
    assert_eq!(database.column(lines).await, ["membership_cancelled"]);
}

#[tokio::test]
async fn a_membership_that_is_renewed_without_a_word_about_its_tier_is_what_it_was_before_it_ended() {
    let later = (lychgate_common::clock::Clock::system().now() + SignedDuration::from_hours(240)).to_string();
    let of = |step: &'static str, second: i64, value: Value| {
        let data = json!({"contact": {"email": "jane@example.com"}, "membership": value});
        told("systeme-membership", step, second, json!({"type": step, "data": data}))
    };
    for (ending, renewal, until) in [
        (of("membership.paused", 2, json!({})), json!({}), "f"),
        (of("membership.expired", 2, json!({})), json!({"ends_at": later}), "t"),
        (of("membership.cancelled", 2, json!({})), json!({}), "f"),
        (of("membership.cancelled", 2, json!({"ends_at": later})), json!({}), "f"),
    ] {
        let story = [
            of("membership.created", 0, json!({"tier": "gold"})),
            of("membership.tier_changed", 1, json!({"tier": "silver"})),
            ending,
        ];
        let (_, ended) = any_order_gives_the_same(&story).await;
        let shown = "select concat_ws(' ', level, until is not null) from access_now";
        let runs_on = story[2].body["data"]["membership"]["ends_at"].is_string();
        assert_eq!(ended.column(shown).await.len(), usize::from(runs_on), "{}", story[2].kind);
        let [created, changed, ending] = story;
        let story = [created, changed, ending, of("membership.renewed", 3, renewal)];
        let (_, renewed) = any_order_gives_the_same(&story).await;
        assert_eq!(renewed.column(shown).await, [format!("silver {until}")], "{}", story[2].kind);
        let paused_again = [&story[..], &[of("membership.paused", 4, json!({}))]].concat();
        let (_, again) = any_order_gives_the_same(&paused_again).await;
        assert!(again.column(shown).await.is_empty());
    }
}

#[tokio::test]
async fn leaders_come_out_the_same_in_any_order() {
    let of = |kind: &'static str, second: i64, more: Value| {
        let mut data = json!({"contact": {"email": "jane@example.com"}, "organisation": {"id": "church-7"}});
        more.as_object().unwrap().iter().for_each(|(name, value)| data[name] = value.clone());
        told("systeme-church-leader", kind, second, json!({"type": kind, "data": data}))
    };
    let placed = |parent: &str| json!({"organisation": {"id": "church-7", "name": "Grace", "parent_id": parent}});
    let story = [
        of("organisation.created", 0, placed("district-1")),
        of("church_leader.assigned", 1, json!({"role": "pastor", "permissions": ["members.read"]})),
        of("church_leader.assigned", 2, json!({"role": "elder"})),
        of("organisation.moved", 3, placed("district-2")),
        of("church_leader.permissions_changed", 3, json!({"permissions": ["courses.assign"]})),
        of("church_leader.withdrawn", 4, json!({"role": "pastor"})),
        of("church_leader.withdrawn", 5, json!({"role": "elder"})),
        of("church_leader.assigned", 5, json!({"role": "elder", "reason": "by mistake withdrawn"})),
    ];
    let (_, database) = any_order_gives_the_same(&story).await;
    let leads = "select role || ' ' || status from church_leaders order by role desc";
    assert_eq!(database.column(leads).await, ["pastor withdrawn", "elder active"]);
    assert_eq!(database.column("select permission from leader_rights").await, ["courses.assign"]);
    assert_eq!(database.column("select parent_id from organisations").await, ["district-2"]);
}
