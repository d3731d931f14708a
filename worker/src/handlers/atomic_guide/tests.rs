//! Every event has its effect, bad ones name the field, and the order of arrival does not matter.

use std::collections::BTreeMap;

use bytes::Bytes;
use lychgate_common::event::EventId;
use serde_json::json;

use super::*;

const NOON: &str = "2024-01-01T12:00:00Z";

fn at(minute: i64) -> Timestamp {
    NOON.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

pub(super) fn event(kind: &str, minute: i64, body: &Value) -> Event {
    Event {
        id: EventId::new(at(minute)),
        source: "lti".into(),
        preset: "lti".into(),
        tenant: "acc".into(),
        kind: kind.into(),
        subject: None,
        occurred_at: Some(at(minute)),
        received_at: at(minute),
        body: Bytes::from(body.to_string()),
    }
}

fn handle(event: &Event) -> Result<Handled, Failure> {
    match event.kind.as_ref() {
        "user.behavior" => {
            let payload = fields::parse(&event.body)?;
            let told = Told::new(event, Fields::root(&payload)?.object("data")?);
            behaviour::changes(&told).map(Handled::changes)
        }
        kind if ["video.", "deep_link.", "order.", "production.", "quality."].iter().any(|it| kind.starts_with(it)) => {
            of_house(event)
        }
        _ => of_platform(event),
    }
}

fn changes(kind: &str, body: &Value) -> Vec<Change> {
    handle(&event(kind, 0, body)).unwrap().changes
}

pub(super) fn cells(change: &Change, columns: &[&str]) -> Value {
    let (Change::Merge { row, .. } | Change::Append { row, .. }) = change;
    columns.iter().map(|column| row.get(*column).cloned().unwrap_or(json!("absent"))).collect()
}

fn lti(kind: &str, data: Value) -> Value {
    json!({"type": kind, "data": data})
}

fn grade(score: f64) -> Value {
    json!({"userId": "user123", "resourceLinkId": "link456", "score": score, "maxScore": 100,
        "timestamp": NOON, "gradeId": "g1"})
}

fn canvas(kind: &str, body: Value) -> Value {
    json!({"metadata": {"event_name": kind, "event_time": NOON}, "body": body})
}

fn moodle(name: &str, other: Value) -> Value {
    json!({"eventname": format!("\\core\\event\\{name}"), "objectid": "12", "contextinstanceid": "40", "userid": "2",
        "courseid": "3", "relateduserid": 7, "other": other, "timecreated": 1_704_110_400, "host": "moodle.example.com"})
}

/// One event of every type that has an effect.
fn all() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    for kind in ["grade.created", "grade.updated", "grade.deleted"] {
        all.push((kind.to_owned(), lti(kind, grade(85.0))));
    }
    for kind in ["member.added", "member.updated", "member.removed"] {
        let data = json!({"contextId": "c", "userId": "u", "roles": ["Learner"], "timestamp": NOON});
        all.push((kind.to_owned(), lti(kind, data)));
    }
    for kind in ["content.created", "content.updated", "content.deleted"] {
        let data =
            json!({"contentId": "c", "resourceLinkId": "l", "title": "t", "url": "https://e.org", "timestamp": NOON});
        all.push((kind.to_owned(), lti(kind, data)));
    }
    for (kind, body) in [
        (
            "assignment_created",
            json!({"assignment_id": 12, "title": "Cells", "points_possible": "10", "due_at": null,
            "context_type": "Course", "context_id": "565", "workflow_state": "published"}),
        ),
        (
            "submission_created",
            json!({"submission_id": "7", "assignment_id": "12", "user_id": "42", "attempt": 1,
            "submitted_at": "2024-01-01T11:59:00Z", "score": 3, "grade": "3", "graded_at": null, "workflow_state": "s"}),
        ),
        (
            "grade_change",
            json!({"assignment_id": "12", "student_id": "42", "score": 85, "points_possible": 100,
            "grade": "85", "grader_id": "1", "submission_id": "7"}),
        ),
        (
            "course_progress",
            json!({"course": {"id": "565", "name": "B"}, "user": {"id": "42"},
            "progress": {"requirement_count": 4, "requirement_completed_count": 3, "completed_at": null}}),
        ),
        ("course_completed", json!({"course": {"id": "565", "name": "B"}, "user": {"id": "42"}})),
        (
            "discussion_topic_created",
            json!({"discussion_topic_id": "2", "title": "Cells", "body": "<p>Which?</p>",
            "user_id": "42", "workflow_state": "active", "course_id": "565"}),
        ),
        (
            "discussion_entry_created",
            json!({"discussion_entry_id": "3", "discussion_topic_id": "2", "text": "A plant"}),
        ),
    ] {
        all.push((kind.to_owned(), canvas(kind, body)));
    }
    for (name, other) in [
        ("user_graded", json!({"itemid": 31, "finalgrade": "85.5", "overridden": false})),
        ("course_module_created", json!({"modulename": "quiz", "instanceid": "5", "name": "Cells"})),
        ("course_module_deleted", json!([])),
        ("course_completed", json!(null)),
        ("course_module_completion_updated", json!({"completionstate": "1"})),
    ] {
        all.push((format!("\\core\\event\\{name}"), moodle(name, other)));
    }
    for (kind, data) in [
        (
            "video.upload.completed",
            json!({"videoId": "v", "metadata": {"title": "t", "duration": 60, "userId": "owner"}}),
        ),
        (
            "deep_link.created",
            json!({"linkId": "l", "resourceType": "assessment", "contextId": "c", "createdBy": "u",
            "configuration": {"attempts": 2}}),
        ),
        ("order.updated", json!({"orderId": "o", "status": "shipped", "carrier": "x"})),
        ("production.stage_changed", json!({"orderId": "o", "stage": "cutting", "status": "done"})),
        ("quality.result_recorded", json!({"orderId": "o", "resultId": "r", "result": "passed", "defects": 0})),
        (
            "user.behavior",
            json!({"userId": "u", "sessionId": "s", "events": [
            {"type": "view", "element": "video", "timestamp": NOON, "metadata": {"videoId": "v"}},
            {"type": "click", "element": "#play", "timestamp": NOON}]}),
        ),
    ] {
        all.push((kind.to_owned(), json!({"type": kind, "data": data})));
    }
    all
}

#[test]
fn every_event_has_an_effect_and_declares_what_it_sets() {
    let mut touched = Vec::new();
    for (kind, body) in all() {
        let changes = changes(&kind, &body);
        assert!(!changes.is_empty(), "{kind}");
        for change in changes {
            let (Change::Merge { row, .. } | Change::Append { row, .. }) = &change;
            let table = change.table();
            assert!(TABLES.contains(&table) || table == ANALYTICS, "{}", table.name);
            assert!(table.key.iter().all(|key| row.contains_key(*key)), "{kind}: {row:?}");
            assert!(row.keys().all(|name| table.key.iter().chain(table.columns).any(|known| known == name)), "{row:?}");
            touched.push(table.name);
        }
    }
    for table in TABLES.iter().filter(|table| !table.name.starts_with("transcript")) {
        assert!(touched.contains(&table.name), "nothing changes {}", table.name);
    }
}

#[test]
fn the_documents_own_grade_without_an_id_is_named_by_link_and_user() {
    let mut data = grade(85.0);
    data.as_object_mut().unwrap().remove("gradeId");
    let row = cells(&changes("grade.updated", &lti("grade.updated", data))[0], &["grade_id", "score", "max_score"]);
    assert_eq!(row, json!(["link456/user123", 85.0, 100.0]));
}

#[test]
fn grades_and_submissions_become_a_students_progress() {
    let all: BTreeMap<_, _> = all().into_iter().collect();
    let both = changes("submission_created", &all["submission_created"]);
    let columns = ["account", "student_id", "assignment_id", "submitted_at", "score"];
    assert_eq!(cells(&both[1], &columns), json!(["acc", "42", "12", "2024-01-01T11:59:00Z", "absent"]));
    let graded = changes("grade_change", &all["grade_change"]);
    assert_eq!(graded[0].table().name, "student_progress");
    assert_eq!(cells(&graded[0], &["student_id", "score", "grade", "graded_at"]), json!(["42", 85.0, "85", NOON]));
    let done = changes("course_completed", &all["course_completed"]);
    assert_eq!(cells(&done[0], &["student_id", "course_id", "completed_at"]), json!(["42", "565", NOON]));
}

#[test]
fn a_submission_that_is_graded_before_anybody_hands_it_in_is_not_said_to_be_handed_in() {
    let submission = |kind: &str, submitted_at: Option<Value>| {
        let mut body =
            json!({"submission_id": "7", "assignment_id": "12", "user_id": "42", "workflow_state": "graded"});
        if let Some(at) = submitted_at {
            body["submitted_at"] = at;
        }
        let both = changes(kind, &canvas(kind, body));
        assert_eq!((both[0].table().name, both[1].table().name), ("canvas_submission", "student_progress"));
        cells(&both[1], &["student_id", "submitted_at"])
    };
    let told = json!("2024-01-01T11:59:00Z");
    assert_eq!(submission("submission_updated", Some(json!(null))), json!(["42", null]));
    assert_eq!(submission("submission_updated", None), json!(["42", "absent"]), "what is stored stays");
    assert_eq!(submission("submission_updated", Some(told.clone())), json!(["42", told]));
    assert_eq!(submission("submission_created", Some(told.clone())), json!(["42", told]));
    // It is created by handing it in.
    assert_eq!(submission("submission_created", Some(json!(null))), json!(["42", NOON]));
    assert_eq!(submission("submission_created", None), json!(["42", NOON]));
}

#[test]
fn moodles_numbers_come_as_text_or_numbers_and_its_names_with_or_without_their_path() {
    let body = moodle("user_graded", json!({"itemid": 31, "finalgrade": "85.5", "overridden": "1700000000"}));
    for kind in ["user_graded", r"core\event\user_graded", r"\core\event\user_graded"] {
        let columns = ["site", "item_id", "user_id", "final_grade", "overridden"];
        let row = cells(&changes(kind, &body)[0], &columns);
        assert_eq!(row, json!(["moodle.example.com", "31", "7", 85.5, true]), "{kind}");
    }
}

#[test]
fn behaviour_is_one_measurement_an_inner_event_under_an_id_of_its_own() {
    let (kind, body) = all().pop().unwrap();
    let event = event(&kind, 0, &body);
    let rows = |handled: Handled| {
        let measured = |change: &Change| change.table() == ANALYTICS;
        handled
            .changes
            .into_iter()
            .filter(measured)
            .map(|change| cells(&change, &["id", "dimensions"]))
            .collect::<Vec<_>>()
    };
    let once = rows(handle(&event).unwrap());
    assert_eq!(once.len(), 2);
    assert_ne!(once[0][0], once[1][0]);
    assert_eq!(once[1][1]["element"], "#play");
    assert_eq!(once, rows(handle(&event).unwrap()), "handled again, they are the same rows");
}

#[test]
fn unknown_types_are_ignored_and_say_so() {
    for (kind, body) in [
        ("logged_in", canvas("logged_in", json!({}))),
        (r"\core\event\course_viewed", moodle("course_viewed", json!(null))),
        ("order.lost", json!({"type": "order.lost", "data": {}})),
    ] {
        let handled = handle(&event(kind, 0, &body)).unwrap();
        assert_eq!(handled.ignored, Some(format!("no use for the event type {kind}")));
    }
}

#[test]
fn what_is_missing_or_wrong_is_a_permanent_failure_that_names_its_pointer() {
    let behaviour = |inner: Value| json!({"data": {"userId": "u", "sessionId": "s", "events": [inner]}});
    for (kind, body, expected) in [
        ("grade.created", lti("grade.created", grade(101.0)), "/data/score must be from 0 to maxScore"),
        ("grade.created", lti("grade.created", grade(-0.5)), "/data/score must be from 0 to maxScore"),
        ("grade.created", json!({"type": "grade.created"}), "/data is missing"),
        ("member.added", lti("member.added", json!({"contextId": "c", "userId": "u"})), "/data/roles is missing"),
        ("grade_change", canvas("grade_change", json!({"student_id": "s"})), "/body/assignment_id is missing"),
        (
            "user_graded",
            moodle("user_graded", json!({"itemid": 1, "finalgrade": "A"})),
            "/other/finalgrade must be a number, and is text",
        ),
        ("user.behavior", behaviour(json!({"type": "click", "element": "e"})), "/data/events/0/timestamp is missing"),
        (
            "user.behavior",
            behaviour(json!({"type": "stare", "element": "e", "timestamp": NOON})),
            "/data/events/0/type must be click, view or interaction",
        ),
        (
            "deep_link.created",
            json!({"data": {"linkId": "l", "resourceType": "cat"}}),
            "/data/resourceType must be assessment, content or activity",
        ),
    ] {
        let failure = handle(&event(kind, 0, &body)).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)));
        assert_eq!(failure.cause().message, expected);
    }
}

/// A row: per column the age of its value, and the value.
type Cells = BTreeMap<String, (Option<Version>, Value)>;

/// What the applier promises, in a few lines: per column the newest version wins, history is kept once.
fn model(events: &[Event]) -> BTreeMap<(&'static str, String), Cells> {
    let mut rows: BTreeMap<_, Cells> = BTreeMap::new();
    for change in events.iter().flat_map(|event| handle(event).unwrap().changes) {
        let table = change.table();
        let key = (table.name, cells(&change, table.key).to_string());
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
    // Every type at two times, and each time twice with the same clock: arrival must not break the tie.
    let mut events: Vec<Event> = Vec::new();
    for (nth, (kind, body)) in all().into_iter().enumerate() {
        for minute in [0, 1 + i64::try_from(nth % 3).unwrap()] {
            events.push(event(&kind, minute, &body));
        }
    }
    events.push(event("grade.updated", 5, &lti("grade.updated", grade(90.0))));
    events.push(event("grade.updated", 5, &lti("grade.updated", grade(91.0))));
    let expected = model(&events);
    let n = events.len();
    for stride in [1, 3, 5, 7, 11, 13] {
        if stride > 1 && n.is_multiple_of(stride) {
            continue;
        }
        for start in 0..n {
            let order: Vec<_> = (0..n).map(|i| events[(start + i * stride) % n].clone()).collect();
            assert_eq!(model(&order), expected, "stride {stride} from {start}");
        }
    }
    events.extend(events.clone());
    assert_eq!(model(&events), expected, "twice is once");
    let since = &expected[&("video_user", json!(["lti", "v", "owner", "owner"]).to_string())]["since"].1;
    assert_eq!(since, NOON, "the earliest stays");
}
