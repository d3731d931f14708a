//! IBAM on a real PostgreSQL: what the handlers declare is what the migrations make, what they return can be written,
//! magic tokens let in once, the hierarchy has no cycles, the catalogue takes effect without a restart.

use std::time::Duration;

use jiff::SignedDuration;
use lychgate_common::{
    change::{Change, Version},
    clock::Clock,
    event::Event,
    magic::{Fingerprint, MagicToken},
    row,
    settings::IbamSettings,
    store::{Course, Store, StoreSettings, TagCourse, Tier},
};
use lychgate_tests::Database;
use lychgate_worker::{
    handler::{Failure, Handler},
    handlers::systemeio::{PRESETS, SystemeIo, TABLES},
};

use crate::rows::{migrated, record};

pub(crate) fn handler(store: &Store, preset: &str) -> SystemeIo {
    let forgetful = IbamSettings { catalogue_memory: Duration::ZERO, ..IbamSettings::default() };
    let handlers = SystemeIo::handlers(store.clone(), None, None, &forgetful);
    handlers.into_iter().find(|(name, _)| *name == preset).unwrap().1
}

async fn handled(store: &Store, preset: &str, kind: &str, body: &str) -> Result<Event, Failure> {
    let event = record(store, preset, kind, body).await;
    let changes = handler(store, preset).handle(&event).await?.changes;
    store.apply(&changes).await.unwrap();
    Ok(event)
}

pub(crate) async fn catalogue(store: &Store) {
    let tags = [TagCourse { tag: "member".into(), course_id: "welcome".into() }];
    let course = Course {
        course_id: "foundations".into(),
        title: Some("Foundations".into()),
        systeme_course_id: Some("680647".into()),
        systeme_bundle_id: None,
    };
    let tier = Tier {
        tier: "gold".into(),
        title: "Gold".into(),
        access_level: "full".into(),
        rank: 2,
        price_plan_id: Some("3".into()),
        tag: None,
    };
    assert_eq!(store.import_ibam_tags(&tags, true, "ops").await.unwrap().set, 1);
    store.import_ibam_courses(&[course], false, "ops").await.unwrap();
    store.import_ibam_tiers(&[tier], false, "ops").await.unwrap();
}

const CONTACT: &str = r#"{"contact": {"id": 42, "email": "Jane@example.com", "locale": "en",
    "fields": [{"slug": "first_name", "value": "Jane"}], "tags": []}, "tag": {"id": 12, "name": "Member"}}"#;
const SALE: &str = r#"{"customer": {"contactId": 42, "email": "jane@example.com"}, "order": {"id": 9, "totalPrice": 1900},
    "orderItem": {"resources": [{"course": {"id": 680647}}, {"course": {"id": 1, "name": "Unlisted"}}]},
    "pricePlan": {"id": 3, "name": "Gold", "type": "subscription", "currency": "eur"}}"#;

#[tokio::test]
async fn the_declared_tables_are_those_of_the_schema() {
    let (_, database) = migrated().await;
    for table in TABLES {
        let of = |sql: &str| sql.replace("$table", table.name);
        let columns = "select column_name::text from information_schema.columns where table_name = '$table'";
        let columns = database.column(&of(columns)).await;
        let unknown: Vec<_> =
            table.key.iter().chain(table.columns).filter(|name| !columns.iter().any(|c| c == *name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", table.name);
        let key = database
            .column(&of("select a.attname::text from pg_index i, unnest(i.indkey) with ordinality as k (n, nth)
                join pg_attribute a on a.attnum = k.n
                where i.indrelid = '$table'::regclass and i.indisprimary and a.attrelid = i.indrelid order by nth"))
            .await;
        assert_eq!(key, table.key, "{}", table.name);
    }
}

#[tokio::test]
async fn a_tag_makes_a_whole_user_and_its_removal_ends_the_access_even_after_the_map_has_changed() {
    let (store, database) = migrated().await;
    catalogue(&store).await;
    handled(&store, "systemeio", "CONTACT_TAG_ADDED", CONTACT).await.unwrap();
    let user =
        "select concat_ws(' ', a.email, a.provider, a.email_confirmed_at is not null, p.name, length(p.magic_token))
        from auth_users a join user_profiles p using (email)";
    assert_eq!(database.column(user).await, ["jane@example.com local t Jane 64"]);
    let lives = "select count(*) from user_profiles
        where magic_token_expires_at between now() + interval '23 hours 55 minutes' and now() + interval '24 hours'";
    assert_eq!(database.count(lives).await, 1);
    let access = "select course_id || ' ' || active from course_access";
    assert_eq!(database.column(access).await, ["welcome true"]);
    assert_eq!(store.import_ibam_tags(&[], true, "ops").await.unwrap().removed, 1);
    handled(&store, "systemeio", "CONTACT_TAG_REMOVED", CONTACT).await.unwrap();
    assert_eq!(database.column(access).await, ["welcome false"]);
}

#[tokio::test]
async fn a_change_of_the_tag_map_takes_effect_with_the_next_event() {
    let (store, database) = migrated().await;
    handled(&store, "systemeio", "CONTACT_TAG_ADDED", CONTACT).await.unwrap();
    assert_eq!(database.count("select count(*) from course_enrolments").await, 0);
    catalogue(&store).await;
    handled(&store, "systemeio", "CONTACT_TAG_ADDED", CONTACT).await.unwrap();
    assert_eq!(database.count("select count(*) from course_enrolments where status = 'active'").await, 1);
}

#[tokio::test]
async fn sale_and_cancellation_give_and_take_in_either_order() {
    for order in [["SALE_NEW", "SALE_CANCELED"], ["SALE_CANCELED", "SALE_NEW"]] {
        let (store, database) = migrated().await;
        catalogue(&store).await;
        let mut changes = Vec::new();
        for kind in ["SALE_NEW", "SALE_CANCELED"] {
            let event = record(&store, "systemeio", kind, SALE).await;
            changes.push((kind, handler(&store, "systemeio").handle(&event).await.unwrap().changes));
        }
        for kind in order {
            let of = changes.iter().find(|(name, _)| *name == kind).unwrap();
            store.apply(&of.1).await.unwrap();
        }
        let payment = "select concat_ws(' ', payment_id, status, amount_cents, currency) from payments";
        assert_eq!(database.column(payment).await, ["order:9 cancelled 1900 EUR"], "{order:?}");
        assert_eq!(database.count("select count(*) from payment_history").await, 2);
        let access = "select course_id || ' ' || active from course_access order by 1";
        assert_eq!(database.column(access).await, ["foundations false", "systeme-1 false"], "{order:?}");
    }
}

#[tokio::test]
async fn membership_events_leave_state_history_and_an_access_level() {
    let (store, database) = migrated().await;
    catalogue(&store).await;
    let body = |kind: &str, more: &str| {
        format!(r#"{{"type": "{kind}", "id": "1", "data": {{"contact": {{"email": "jane@example.com"}}, {more}}}}}"#)
    };
    for (kind, more) in [
        ("membership.created", r#""membership": {"tier": "gold"}"#),
        ("subscription.created", r#""subscription": {"id": "s", "amount_cents": 1900}"#),
        ("payment.confirmed", r#""payment": {"id": "p", "amount_cents": 1900, "currency": "eur"}"#),
    ] {
        handled(&store, "systeme-membership", kind, &body(kind, more)).await.unwrap();
    }
    let now = "select concat_ws(' ', email, level, via) from access_now";
    assert_eq!(database.column(now).await, ["jane@example.com full membership"]);
    handled(&store, "systeme-membership", "membership.expired", &body("membership.expired", r#""membership": {}"#))
        .await
        .unwrap();
    assert!(database.column(now).await.is_empty());
    assert_eq!(database.column("select status from membership_history order by at").await, ["active", "expired"]);
    assert_eq!(database.column("select level from access_level_history order by at").await, ["full", "none"]);
    assert_eq!(
        database.count("select count(*) from subscriptions join subscription_history using (subscription_id)").await,
        1
    );
}

fn placed(id: &str, parent: &str) -> String {
    format!(
        r#"{{"type": "organisation.moved", "data": {{"organisation": {{"id": "{id}", "parent_id": "{parent}"}}}}}}"#
    )
}

#[tokio::test]
async fn the_hierarchy_takes_no_cycle_neither_from_one_event_nor_from_two_at_once() {
    let (store, database) = migrated().await;
    for (id, parent) in [("b", "a"), ("c", "b")] {
        handled(&store, "systeme-church-leader", "organisation.moved", &placed(id, parent)).await.unwrap();
    }
    let refused = handled(&store, "systeme-church-leader", "organisation.moved", &placed("a", "c")).await.unwrap_err();
    assert_eq!(refused.cause().class, "hierarchy_cycle");
    // What the handler could not see: the database refuses it.
    let event = record(&store, "systeme-church-leader", "organisation.moved", &placed("a", "c")).await;
    let row = row! { "organisation_id" => "a", "parent_id" => "c" };
    let organisations = TABLES.into_iter().find(|table| table.name == "organisations").unwrap();
    let error = store.apply(&[Change::merge(organisations, row, Version::of(&event))]).await.unwrap_err();
    assert!(error.is_data() && error.detail().contains("cannot be placed under"), "{}", error.detail());
    assert_eq!(store.organisation_line("c").await.unwrap(), ["c", "b", "a"]);
    assert_eq!(database.count("select count(*) from organisations").await, 2);
}

#[tokio::test]
async fn leaders_have_rights_while_they_have_a_role_and_the_audit_keeps_both() {
    let (store, database) = migrated().await;
    let body = r#"{"data": {"contact": {"email": "jane@example.com"}, "role": "pastor", "permissions": ["members.read"],
        "organisation": {"id": "church-7", "parent_id": null}}}"#;
    handled(&store, "systeme-church-leader", "church_leader.assigned", body).await.unwrap();
    let rights = "select permission from leader_rights";
    assert_eq!(database.column(rights).await, ["members.read"]);
    handled(&store, "systeme-church-leader", "church_leader.withdrawn", body).await.unwrap();
    assert!(database.column(rights).await.is_empty());
    assert_eq!(database.column("select change from church_leader_audit order by at").await, ["assigned", "withdrawn"]);
}

#[tokio::test]
async fn a_magic_token_lets_in_once_and_within_a_day_and_a_new_one_replaces_it() {
    let database = Database::empty().await;
    let clock = Clock::standing_at("2026-09-27T12:00:00Z".parse().unwrap());
    let store = Store::open(&StoreSettings::new(database.url().into()), clock.clone()).unwrap();
    store.migrate().await.unwrap();
    handled(&store, "systemeio", "CONTACT_CREATED", CONTACT).await.unwrap();
    let token = MagicToken::generate().unwrap();
    assert!(store.issue_magic_token("nobody@example.com", &token, "ops").await.unwrap().is_none());
    store.issue_magic_token("jane@example.com", &token, "ops").await.unwrap().unwrap();
    let stored = database.column("select magic_token from user_profiles").await;
    assert_eq!(stored, [token.fingerprint().as_str()], "only the hash is stored");
    let spend = async |text: &str| store.spend_magic_token(&Fingerprint::of(text)).await.unwrap();
    assert!(spend("guess").await.is_none() && spend(&stored[0]).await.is_none());
    let (one, other) = tokio::join!(spend(token.expose()), spend(token.expose()));
    assert_eq!(
        [one.is_some(), other.is_some()].into_iter().filter(|it| *it).count(),
        1,
        "of two at once one is let in"
    );
    assert!(spend(token.expose()).await.is_none());

    // Spent, and a day not over: no further token, so no further mail.
    handled(&store, "systemeio", "CONTACT_OPT_IN", CONTACT).await.unwrap();
    assert_eq!(database.count("select count(*) from user_profiles where magic_token is not null").await, 0);
    clock.advance(SignedDuration::from_hours(25));
    handled(&store, "systemeio", "CONTACT_OPT_IN", CONTACT).await.unwrap();
    assert_eq!(database.count("select count(*) from user_profiles where magic_token is not null").await, 1);

    store.issue_magic_token("jane@example.com", &token, "ops").await.unwrap().unwrap();
    clock.advance(SignedDuration::from_hours(24));
    assert!(spend(token.expose()).await.is_none(), "expired");
}

#[tokio::test]
async fn every_preset_has_its_handler() {
    let (store, _) = migrated().await;
    for preset in PRESETS {
        assert!(
            handler(&store, preset)
                .handle(&record(&store, preset, "page.visited", "{}").await)
                .await
                .unwrap()
                .ignored
                .is_some()
        );
    }
}
