//! Moodle: `local_webhooks` puts a static token into the JSON body and signs nothing; plugins of one's own can sign.
//!
//! The token is emptied before anything is stored. There is no id: one event is one body without its token. Moodle
//! reports every event there is, so those nobody asked for are taken and ignored.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        limits::ContentTypes,
        place::Place,
        pointer::Pointer,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Token, Verifier},
    },
    Preset, canvas, path,
};

pub(super) const PRESET: Preset = Preset { name: "moodle", profile, sample };

/// What the handler has a use for, in Moodle's spelling, the document's, and that of its configuration.
pub(super) const KINDS: &[&str] = &[
    "user_graded",
    "course_module_created",
    "course_module_updated",
    "course_module_deleted",
    "course_module_completion_updated",
    "course_completed",
    r"core\event\user_graded",
    r"core\event\course_module_created",
    r"core\event\course_module_updated",
    r"core\event\course_module_deleted",
    r"core\event\course_module_completion_updated",
    r"core\event\course_completed",
    r"\core\event\user_graded",
    r"\core\event\course_module_created",
    r"\core\event\course_module_updated",
    r"\core\event\course_module_deleted",
    r"\core\event\course_module_completion_updated",
    r"\core\event\course_completed",
];

/// Those about an activity of a course.
const MODULES: &[&str] = &[
    "course_module_created",
    "course_module_updated",
    "course_module_deleted",
    r"core\event\course_module_created",
    r"core\event\course_module_updated",
    r"core\event\course_module_deleted",
    r"\core\event\course_module_created",
    r"\core\event\course_module_updated",
    r"\core\event\course_module_deleted",
];

/// The token in the body.
pub(super) fn token() -> Token {
    Token { at: vec![Place::field("/token")] }
}

/// The token in a header, as an administrator types it into `tool_trigger`.
pub(super) fn token_in_head() -> Token {
    Token { at: vec![Place::header("x-api-key"), Place::Bearer] }
}

/// Fields without which an event says nothing.
pub(super) fn checks() -> Vec<Check> {
    let graded = &["user_graded", r"core\event\user_graded", r"\core\event\user_graded"];
    let completed = &[r"core\event\course_completed", r"\core\event\course_completed"];
    let step = &[
        "course_module_completion_updated",
        r"core\event\course_module_completion_updated",
        r"\core\event\course_module_completion_updated",
    ];
    let who = [("/courseid", Shape::Text), ("/relateduserid", Shape::Text)];
    let mut checks = Check::all(graded, [("/relateduserid", Shape::Text), ("/other/itemid", Shape::Text)]).to_vec();
    checks.extend(Check::all(completed, who));
    checks.extend(Check::all(&["course_completed"], who));
    checks.push(Check::any_of(MODULES, &["/contextinstanceid", "/objectid"], Shape::Text));
    checks.extend(Check::all(
        step,
        [("/courseid", Shape::Text), ("/contextinstanceid", Shape::Text), ("/other/completionstate", Shape::Integer)],
    ));
    checks.push(Check::any_of(step, &["/relateduserid", "/other/relateduserid"], Shape::Text));
    checks
}

/// Where an event's subject stands.
pub(super) const SUBJECTS: [&str; 2] = ["/relateduserid", "/objectid"];

fn profile() -> Profile {
    let ways = [token_in_head(), token()].map(Verifier::Token);
    let ways = [Verifier::Signed(canvas::hmac())].into_iter().chain(ways).collect();
    Profile {
        // `local_webhooks` can send its JSON as if it were a form.
        content_types: ContentTypes::Any,
        redact: &["token"],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashWithout(vec![Pointer::literal("/token")])],
            kind: KindRule { at: vec![Place::field("/eventname")], known: KINDS, ..KindRule::default() },
            tenant: vec![Place::field("/host")],
            subject: SUBJECTS.map(Place::field).to_vec(),
            occurred_at: Some((Place::field("/timecreated"), TimeForm::Seconds)),
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/moodle"), Verifier::Any(ways))
    }
}

pub(super) fn sample(draft: &Draft<'_>) -> Value {
    let name = draft.kind.rsplit('\\').next().unwrap_or_default();
    let student = draft.subject_or("7");
    let (table, other) = match name {
        "user_graded" => ("grade_grades", json!({"itemid": "31", "overridden": false, "finalgrade": 85})),
        "course_completed" => ("course_completions", json!({"relateduserid": student})),
        "course_module_completion_updated" => {
            ("course_modules_completion", json!({"relateduserid": student, "completionstate": 1}))
        }
        _ => ("course_modules", json!({"modulename": "quiz", "instanceid": "5", "name": "Cells"})),
    };
    json!({
        "eventname": draft.kind, "component": "core", "action": name.rsplit('_').next(), "target": name,
        "objecttable": table, "objectid": "12", "crud": "c", "edulevel": 1, "contextid": 40, "contextlevel": 70,
        "contextinstanceid": "12", "userid": "2", "courseid": "3", "relateduserid": student, "anonymous": 0,
        "other": other, "timecreated": draft.at.as_second(), "host": draft.tenant.unwrap_or("moodle.example.com"),
        "token": "", "extra": draft.id,
    })
}
