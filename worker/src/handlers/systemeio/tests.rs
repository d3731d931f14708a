//! Every event of Systeme.io's two senders, of memberships and of leaders has its effect, without a database; bad ones
//! name the field; the order of arrival does not matter.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::Version,
    event::EventId,
    store::{Course, Granted, TagCourse, Tier},
};

use super::*;

const NOON: &str = "2026-09-27T12:00:00Z";

fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

fn event(kind: &str, minute: i64, body: &Value) -> Event {
    let at = noon() + SignedDuration::from_mins(minute);
    Event {
        id: EventId::new(at),
        source: "systemeio".into(),
        preset: "systemeio".into(),
        tenant: "".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: Some(at),
        received_at: at,
        body: Bytes::from(body.to_string()),
    }
}

fn catalogue() -> Catalogue {
    let tag = |tag: &str, course: &str| TagCourse { tag: tag.into(), course_id: course.into() };
    let course = Course {
        course_id: "foundations".into(),
        title: None,
        systeme_course_id: Some("680647".into()),
        systeme_bundle_id: Some("55".into()),
    };
    let tier = Tier {
        tier: "gold".into(),
        title: "Gold".into(),
        access_level: "full".into(),
        rank: 2,
        price_plan_id: Some("3".into()),
        tag: Some("gold member".into()),
    };
    let tags = vec![tag("member", "welcome"), tag("member", "prayer"), tag("77", "leaders")];
    Catalogue::new(tags, vec![course], vec![tier])
}

fn learning(event: &Event, given: &[Granted]) -> Result<Vec<Change>, Failure> {
    let payload = fields::parse(&event.body)?;
    let stamp = Stamp::of(event, None);
    let Some(told) = Told::read(&event.kind, &payload)? else { return Ok(Vec::new()) };
    let known = KnownUser::default();
    let mut changes = user::complete(&stamp, &told.contact, &known, Account::Local, None);
    changes.extend(learning::changes(&stamp, &told, &catalogue(), given));
    Ok(changes)
}

fn rows(changes: &[Change], table: &str) -> Vec<Value> {
    let of = |change: &Change| {
        let (Change::Merge { row, .. } | Change::Append { row, .. }) = change;
        (change.table().name == table).then(|| Value::Object(row.clone()))
    };
    changes.iter().filter_map(of).collect()
}

fn told(kind: &str, body: Value) -> Vec<Change> {
    learning(&event(kind, 0, &body), &[]).unwrap()
}

fn contact(tags: &[&str]) -> Value {
    let tags: Vec<Value> = tags.iter().zip(10..).map(|(name, id)| json!({"id": id, "name": name})).collect();
    json!({"id": 42, "email": " Jane@Example.com", "registeredAt": "2026-09-01T10:00:00+00:00", "locale": "en",
        "sourceURL": "https://x.io/p", "unsubscribed": false, "bounced": false, "needsConfirmation": false,
        "fields": [{"fieldName": "First name", "slug": "first_name", "value": "Jane"},
            {"fieldName": "Surname", "slug": "surname", "value": "Doe"}, {"fieldName": "Phone", "slug": "phone", "value": null}],
        "tags": tags})
}

fn sale() -> Value {
    json!({
        "customer": {"id": 7, "clientIp": "192.0.2.1", "contactId": 42, "email": "jane@example.com", "fields": {"first_name": "Jane"},
            "paymentProcessor": "stripe", "sourceUrl": "https://x.io/p"},
        "coupon": null, "funnelStep": {"id": 1, "funnel": {"id": 2}}, "checkoutPage": null,
        "order": {"id": 9, "createdAt": "2026-09-27T11:59:00+00:00", "discountAmount": 0, "shippingFee": 0, "totalPrice": 100.0, "vat": 0.0},
        "orderItem": {"id": 5, "createdAt": "2026-09-27T11:59:00+00:00", "resources": [
            {"course": {"id": 680_647, "name": "Foundations"}, "courseBundle": null, "enrollmentAccessType": "full_access",
                "physicalProduct": null, "tag": null},
            {"course": {"id": 1, "name": "Unlisted"}, "courseBundle": null, "tag": {"id": 77, "name": "Leaders"}}]},
        "pricePlan": {"id": 3, "name": "Gold monthly", "type": "subscription", "amount": 100, "currency": "eur"},
    })
}

#[test]
fn news_of_a_contact_makes_the_whole_user_and_the_enrolments_of_its_tags() {
    for kind in ["CONTACT_CREATED", "CONTACT_OPT_IN"] {
        let changes = told(kind, json!({"contact": contact(&["Member", "other"])}));
        let profile = &rows(&changes, "user_profiles")[0];
        assert_eq!(rows(&changes, "auth_users")[0]["email"], "jane@example.com");
        for (column, value) in [
            ("email", json!("jane@example.com")),
            ("contact_id", json!("42")),
            ("name", json!("Jane Doe")),
            ("locale", json!("en")),
            ("fields", json!({"first_name": "Jane", "surname": "Doe", "phone": null})),
        ] {
            assert_eq!(profile[column], value, "{kind} {column}");
        }
        let given = rows(&changes, "course_enrolments");
        let courses: Vec<_> = given.iter().map(|row| (row["course_id"].clone(), row["via"].clone())).collect();
        assert_eq!(json!(courses), json!([["welcome", "tag:member"], ["prayer", "tag:member"]]));
    }
}

#[test]
fn a_tag_gives_its_courses_and_its_removal_ends_them_and_what_the_map_gave_before() {
    let body = json!({"contact": contact(&[]), "tag": {"id": 12, "name": "Member"}});
    let given = rows(&told("CONTACT_TAG_ADDED", body.clone()), "course_enrolments");
    assert_eq!((given.len(), &given[0]["status"], &given[0]["enrolled_at"]), (2, &json!("active"), &json!(NOON)));
    let nested = json!({"contact": {"contact": contact(&["Member"])}, "tag": {"id": 12, "name": "Member"}});
    for body in [body, nested] {
        let before = [Granted { course_id: "old".into(), via: "tag:member".into() }];
        let changes = learning(&event("CONTACT_TAG_REMOVED", 0, &body), &before).unwrap();
        let ended = rows(&changes, "course_enrolments");
        let courses: Vec<_> = ended.iter().map(|row| row["course_id"].clone()).collect();
        assert_eq!(json!(courses), json!(["old", "prayer", "welcome"]));
        assert!(ended.iter().all(|row| row["status"] == "ended" && row["end_reason"] == "tag_removed"), "{ended:?}");
    }
}

#[test]
fn a_sale_is_a_payment_in_cents_and_access_and_its_cancellation_ends_both() {
    let sold = told("SALE_NEW", sale());
    let payment = &rows(&sold, "payments")[0];
    for (column, value) in [
        ("payment_id", json!("order:9")),
        ("amount_cents", json!(100)),
        ("currency", json!("EUR")),
        ("status", json!("paid")),
        ("processor", json!("stripe")),
        ("paid_at", json!("2026-09-27T11:59:00Z")),
    ] {
        assert_eq!(payment[column], value, "{column}");
    }
    let courses = |changes: &[Change]| {
        let rows = rows(changes, "course_enrolments");
        json!(rows.iter().map(|row| json!([row["course_id"], row["via"], row["status"]])).collect::<Vec<_>>())
    };
    let given = json!([
        ["foundations", "order:9", "active"],
        ["systeme-1", "order:9", "active"],
        ["leaders", "order:9", "active"]
    ]);
    assert_eq!(courses(&sold), given);
    assert_eq!(rows(&sold, "courses"), [json!({"course_id": "systeme-1"})]);
    let cancelled = told("SALE_CANCELED", sale());
    let ended = json!([
        ["foundations", "order:9", "ended"],
        ["leaders", "order:9", "ended"],
        ["systeme-1", "order:9", "ended"]
    ]);
    assert_eq!(courses(&cancelled), ended);
    assert_eq!(rows(&cancelled, "payments")[0]["status"], "cancelled");
    assert_eq!(rows(&cancelled, "payment_history")[0]["change"], "cancelled");
}

#[test]
fn the_automation_rules_course_enrolment_is_an_enrolment() {
    let body = json!({"type": "contact.course.enrolled", "data": {
        "course": {"id": 680_647, "name": "Foundations", "description": null},
        "contact": {"id": 1, "email": "jane@example.com", "fields": {"first_name": "Jane"}, "ip": null},
        "access_type": "full_access"}, "account": {"email": "seller@example.com"}, "created_at": "2026-09-27T19:57:41+00:00"});
    let changes = told("contact.course.enrolled", body);
    let row = &rows(&changes, "course_enrolments")[0];
    assert_eq!(
        json!([row["course_id"], row["via"], row["access_type"]]),
        json!(["foundations", "systeme", "full_access"])
    );
    let told: Vec<_> = changes.iter().filter(|change| change.table().name == "user_profiles").collect();
    let [Change::Merge { row: sure, version, .. }, Change::Merge { row: thin, version: oldest, .. }] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((&sure["first_name"], sure.get("name"), sure.get("fields")), (&json!("Jane"), None, None));
    assert_eq!((&thin["name"], &thin["fields"]), (&json!("Jane"), &json!({"first_name": "Jane"})));
    assert!(oldest < version, "what is whole is never replaced by a part");
}

#[test]
fn php_writes_an_empty_map_as_a_list_and_types_are_read_by_their_words() {
    let body = json!({"data": {"contact": {"id": 1, "email": "a@b.c", "fields": []}, "tag": {"id": 77}}});
    assert_eq!(rows(&told("contact.tag.added", body.clone()), "course_enrolments")[0]["via"], "tag:77");
    assert_eq!(rows(&told("contact.email.opened", body), "user_profiles").len(), 1);
    assert!(told("page.visited", json!({"data": {"page": {"id": 1}}})).is_empty());
}

#[test]
fn what_is_missing_or_wrong_is_a_permanent_failure_that_names_its_pointer() {
    let without = |pointer: &str| {
        let mut body = sale();
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        let _ = body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(last);
        body
    };
    for (kind, body, expected) in [
        ("SALE_NEW", without("/order"), "/order is missing"),
        ("SALE_NEW", without("/order/id"), "/order/id is missing"),
        ("SALE_NEW", without("/customer/email"), "/customer/email is missing"),
        ("CONTACT_CREATED", json!({"contact": {"email": "jane"}}), "/contact/email must be an e-mail address"),
        ("CONTACT_TAG_ADDED", json!({"contact": {"email": "a@b.c"}}), "/tag is missing"),
        ("contact.course.enrolled", json!({"data": {"contact": {"email": "a@b.c"}}}), "/data/course is missing"),
        ("CONTACT_CREATED", json!({"contact": []}), "/contact must be an object, and is a list"),
    ] {
        let failure = learning(&event(kind, 0, &body), &[]).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)));
        assert_eq!(failure.cause().message, expected);
    }
}

#[test]
fn a_token_is_stored_as_its_hash_with_the_profile_or_replaces_an_expired_one() {
    let event = event("CONTACT_CREATED", 0, &json!({"contact": contact(&[])}));
    let stamp = Stamp::of(&event, None);
    let person = Contact { email: "a@b.c".into(), ..Contact::default() };
    let token = NewToken { token: MagicToken::generate().unwrap(), now: noon(), mail: None };
    let fresh = user::complete(&stamp, &person, &KnownUser::default(), Account::Local, Some(&token));
    let Change::Merge { initial, .. } = &fresh[1] else { panic!("{fresh:?}") };
    assert_eq!(initial["magic_token"], token.token.fingerprint().as_str());
    assert_eq!(initial["magic_token_expires_at"], "2026-09-28T12:00:00Z");
    let page: Url = "https://ibam.example.org/enter?lang=en".parse().unwrap();
    let welcome = Welcome::to(&person, &KnownUser::default(), event.id, &page);
    let mailed = NewToken { mail: welcome.clone(), ..token.clone() };
    let mailed = user::complete(&stamp, &person, &KnownUser::default(), Account::Local, Some(&mailed));
    let mail = &rows(&mailed, "email_queue")[0];
    assert_eq!(mail["dedupe_key"], "welcome/ibam/a@b.c");
    assert_eq!(mail["id"], json!(welcome.unwrap().id()));
    assert_eq!((&mail["magic_link"], &mail["data"]), (&json!(page.as_str()), &json!({"name": "a@b.c"})));
    for changes in [&fresh, &mailed] {
        assert!(!format!("{changes:?}").contains(token.token.expose()), "the token is nowhere");
    }
    let known = KnownUser { has_profile: true, provider: None, token_expires_at: Some(noon()) };
    assert!(user::needs_token(&known, noon()) && !user::needs_token(&known, noon() - SignedDuration::from_secs(1)));
    let renewed = user::complete(&stamp, &person, &known, Account::Local, Some(&token));
    assert_eq!(rows(&renewed, "user_profiles")[1]["magic_token"], token.token.fingerprint().as_str());
}

fn member(kind: &str, data: Value) -> Result<Vec<Change>, Failure> {
    let event = event(kind, 0, &json!({"type": kind, "data": data}));
    let payload = fields::parse(&event.body)?;
    let data = Fields::root(&payload)?.object("data")?;
    let contact = Contact::read(&data.object("contact")?)?;
    Ok(membership::told(&Stamp::of(&event, None), &contact, &data, &catalogue())?.unwrap_or_default())
}

#[test]
fn membership_subscription_payment_and_access_each_have_state_and_history() {
    let of = |name: &str, value: Value| json!({"contact": {"email": "a@b.c"}, name: value});
    let gold = member("membership.tier_changed", of("membership", json!({"tier": "Gold"}))).unwrap();
    assert_eq!(rows(&gold, "memberships")[0]["tier"], "gold");
    assert_eq!(rows(&gold, "access_levels")[0]["level"], "full");
    assert_eq!((rows(&gold, "membership_history").len(), rows(&gold, "access_level_history").len()), (1, 1));
    let gone = member("membership.expired", of("membership", json!({}))).unwrap();
    let withheld = &rows(&gone, "access_levels")[0];
    assert_eq!((&withheld["withheld"], withheld.get("level")), (&json!("membership_expired"), None), "not forgotten");
    let renewed = member("membership.renewed", of("membership", json!({}))).unwrap();
    let back = &rows(&renewed, "access_levels")[0];
    assert_eq!((&back["withheld"], &back["until"], back.get("level")), (&json!(null), &json!(null), None));
    let until = json!({"ends_at": "2026-10-27T12:00:00Z"});
    let running = member("membership.cancelled", of("membership", until)).unwrap();
    assert_eq!(rows(&running, "access_levels")[0].get("level"), None, "what is paid for runs out by itself");
    let line = &rows(&running, "access_level_history")[0];
    assert_eq!((&line["level"], &line["until"]), (&json!(null), &json!("2026-10-27T12:00:00Z")));
    let late = member("subscription.past_due", of("subscription", json!({"id": "s"}))).unwrap();
    assert_eq!(rows(&late, "subscriptions")[0]["status"], "past_due");
    assert_eq!(rows(&late, "subscription_history").len(), 1);
    let paid = member("payment.confirmed", of("payment", json!({"id": "p", "amount_cents": "1900"}))).unwrap();
    assert_eq!(rows(&paid, "payments")[0]["amount_cents"], 1900);
    let set = member("access_level.changed", of("access_level", json!({"level": "leader"}))).unwrap();
    assert_eq!(rows(&set, "access_levels")[0]["via"], "direct");
    assert!(member("membership.sung", of("membership", json!({}))).unwrap().is_empty());
    let failure = member("membership.created", of("membership", json!({}))).unwrap_err();
    assert_eq!(failure.cause().message, "/data/membership/tier is missing");
}

#[test]
fn a_sale_of_a_tiers_plan_makes_a_member_and_a_subscriber() {
    let event = event("SALE_NEW", 0, &sale());
    let told = Told::read("SALE_NEW", &sale()).unwrap().unwrap();
    let changes = membership::of_systeme(&Stamp::of(&event, None), &told, &catalogue());
    let row = &rows(&changes, "memberships")[0];
    assert_eq!(json!([row["tier"], row["via"], row["status"]]), json!(["gold", "order:9", "active"]));
    assert_eq!(rows(&changes, "subscriptions")[0]["subscription_id"], "order:9");
    assert_eq!(rows(&changes, "access_levels")[0]["level"], "full");
}

fn leader(kind: &str, data: Value, above: &[&str]) -> Result<Vec<Change>, Failure> {
    let event = event(kind, 0, &json!({"type": kind, "data": data}));
    let payload = fields::parse(&event.body)?;
    let data = Fields::root(&payload)?.object("data")?;
    let above: Vec<String> = above.iter().map(|id| (*id).to_owned()).collect();
    let stamp = Stamp::of(&event, None);
    match church_leader::Kind::of(kind).unwrap() {
        church_leader::Kind::Leader(step) => {
            let contact = Contact::read(&data.object("contact")?)?;
            let mut changes = church_leader::told(&stamp, &contact, &data, step)?;
            changes.extend(church_leader::organisation(&stamp, &data, false, &above)?);
            Ok(changes)
        }
        church_leader::Kind::Organisation { removed } => church_leader::organisation(&stamp, &data, removed, &above),
    }
}

#[test]
fn a_leader_is_assigned_and_withdrawn_with_an_audit_of_both() {
    let data = json!({"contact": {"email": "a@b.c"}, "role": "Pastor", "permissions": ["members.read"],
        "organisation": {"id": "church-7", "name": "Grace", "parent_id": "district-2"}});
    let assigned = leader("church_leader.assigned", data.clone(), &["district-2"]).unwrap();
    let row = &rows(&assigned, "church_leaders")[0];
    assert_eq!(json!([row["role"], row["organisation_id"], row["status"]]), json!(["pastor", "church-7", "active"]));
    assert_eq!(rows(&assigned, "leader_permissions")[0]["permissions"], json!(["members.read"]));
    assert_eq!(rows(&assigned, "organisations")[0]["parent_id"], "district-2");
    let withdrawn = leader("church_leader.withdrawn", data, &[]).unwrap();
    assert_eq!(rows(&withdrawn, "church_leaders")[0]["status"], "withdrawn");
    assert_eq!(rows(&withdrawn, "church_leader_audit")[0]["change"], "withdrawn");
}

#[test]
fn a_cycle_in_the_hierarchy_is_a_permanent_failure_that_says_so() {
    let moved = |id: &str, parent: &str| json!({"organisation": {"id": id, "parent_id": parent}});
    for (data, above) in [(moved("a", "a"), vec![]), (moved("a", "c"), vec!["c", "b", "a"])] {
        let failure = leader("organisation.moved", data, &above).unwrap_err();
        assert_eq!(failure.cause().class, "hierarchy_cycle");
        assert!(failure.cause().message.contains("cannot be placed under"), "{}", failure.cause().message);
    }
    assert!(leader("organisation.moved", moved("a", "c"), &["c", "b"]).is_ok());
}

#[test]
fn a_leader_tag_is_a_role_in_the_organisation_that_the_contact_names() {
    let mut person = contact(&[]);
    let body = json!({"contact": person, "tag": {"id": 1, "name": "Leader: Elder"}});
    let of = |kind: &str, body: &Value| {
        let told = Told::read(kind, body).unwrap().unwrap();
        church_leader::of_systeme(&Stamp::of(&event(kind, 0, body), None), &told)
    };
    assert!(of("CONTACT_TAG_ADDED", &body).unwrap_err().cause().message.contains("holds no organisation"));
    person["fields"] = json!([{"slug": "church", "value": "church-7"}]);
    let body = json!({"contact": person, "tag": {"id": 1, "name": "Leader: Elder"}});
    let changes = of("CONTACT_TAG_REMOVED", &body).unwrap().unwrap();
    let row = &rows(&changes, "church_leaders")[0];
    assert_eq!(json!([row["role"], row["organisation_id"], row["status"]]), json!(["elder", "church-7", "withdrawn"]));
    let other = json!({"contact": contact(&[]), "tag": {"id": 1, "name": "Member"}});
    assert!(of("CONTACT_TAG_ADDED", &other).unwrap().is_none());
}

#[test]
fn every_change_sets_its_key_and_only_declared_columns() {
    let mut all = told("SALE_NEW", sale());
    all.extend(told("CONTACT_TAG_ADDED", json!({"contact": contact(&["member"]), "tag": {"id": 77, "name": "x"}})));
    for change in all {
        let table = change.table();
        let (Change::Merge { row, .. } | Change::Append { row, .. }) = &change;
        assert!(TABLES.contains(&table));
        assert!(table.key.iter().all(|key| row.contains_key(*key)), "{row:?}");
        assert!(row.keys().all(|name| table.key.iter().chain(table.columns).any(|known| known == name)), "{row:?}");
    }
}

/// A row: per column the age of its value, and the value.
type Cells = BTreeMap<String, (Option<Version>, Value)>;

/// What the applier promises, in a few lines: per column the newest version wins, history is kept once.
fn model(events: &[Event]) -> BTreeMap<(&'static str, Vec<String>), Cells> {
    let mut stored: BTreeMap<_, Cells> = BTreeMap::new();
    for change in events.iter().flat_map(|event| learning(event, &[]).unwrap()) {
        let table = change.table();
        let (row, version) = match change {
            Change::Merge { row, version, .. } => (row, Some(version)),
            Change::Append { row, .. } => (row, None),
        };
        let key = (table.name, table.key.iter().map(|key| row[*key].to_string()).collect::<Vec<_>>());
        let cells = stored.entry(key).or_default();
        for (column, value) in row {
            if cells.get(&column).is_none_or(|(age, _)| *age <= version) {
                cells.insert(column, (version.clone(), value));
            }
        }
    }
    stored.values_mut().for_each(|row| row.values_mut().for_each(|(age, _)| *age = None));
    stored
}

#[test]
fn any_order_of_arrival_gives_the_same_rows() {
    let tag = |tags: &[&str]| json!({"contact": contact(tags), "tag": {"id": 12, "name": "Member"}});
    let events: Vec<_> = [
        ("CONTACT_CREATED", json!({"contact": contact(&[])})),
        ("CONTACT_TAG_ADDED", tag(&["Member"])),
        ("SALE_NEW", sale()),
        ("CONTACT_TAG_REMOVED", tag(&[])),
        ("SALE_CANCELED", sale()),
        ("CONTACT_OPT_IN", json!({"contact": contact(&[])})),
        ("CONTACT_TAG_ADDED", tag(&["Member"])),
    ]
    .into_iter()
    .zip(0..)
    .map(|((kind, body), minute)| event(kind, minute, &body))
    .collect();
    let expected = model(&events);
    // Every rotation of every stride: as seven is prime, each visits all of them, forwards and backwards among them.
    let n = events.len();
    for stride in 1..n {
        for start in 0..n {
            let order: Vec<_> = (0..n).map(|i| events[(start + i * stride) % n].clone()).collect();
            assert_eq!(model(&order), expected);
        }
    }
}
