//! Canvas Live Events over HTTPS: with "Sign Payload" the whole body is an RS256 JWT, without it plain JSON.
//!
//! The key set is Instructure's own and signs for every Canvas there is: name the accounts you take events of
//! (`tenants`). Plain events need a token in the URL, or the document's HMAC from a relay. Canvas gives events no id: one
//! event is one set of claims, whenever it was signed. Unknown types are taken and ignored: Canvas would switch the
//! subscription off over refusals.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        limits::ContentTypes,
        place::Place,
        pointer::Pointer,
        profile::Profile,
        sample::Draft,
        split::Split,
        time::TimeForm,
        verify::{Jws, JwsAlgorithm, JwsAt, Scheme, SignatureForm, Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "canvas", profile, sample };

/// What the handler has a use for; the document's five among them.
pub(super) const KINDS: &[&str] = &[
    "assignment_created",
    "assignment_updated",
    "submission_created",
    "submission_updated",
    "grade_posted",
    "grade_change",
    "course_progress",
    "course_completed",
    "discussion_entry_created",
    "discussion_topic_updated",
    "discussion_topic_created",
];

/// Canvas tries again for some twenty minutes, perhaps with the old signature. With the keys kept for days, no captured
/// request can be told twice.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// What signing adds to an event.
pub(super) const CLAIMS: [&str; 4] = ["/iat", "/exp", "/nbf", "/jti"];

/// The body as a token.
pub(super) fn jws() -> Jws {
    Jws {
        at: JwsAt::Body,
        algorithms: vec![JwsAlgorithm::Rs256],
        expires: false,
        max_age: Some(MAX_AGE),
        ..Jws::bearer()
    }
}

/// The document's signature, with or without its prefix.
pub(super) fn hmac() -> Scheme {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: true };
    Scheme::hmac_body(Place::header("x-webhook-signature"), form)
}

/// The token in the URL of plain events: Canvas sends the address as it was typed, and nothing else of ours.
pub(super) fn token() -> Token {
    Token { at: vec![Place::Query("token".into())] }
}

/// Fields without which an event says nothing.
pub(super) fn checks() -> Vec<Check> {
    // Whole names: Canvas has more types that begin so, which nobody asked for.
    let assignments = &["assignment_created", "assignment_updated", "grade_posted", "grade_change"];
    let submissions = &["submission_created", "submission_updated"];
    let topics = &["discussion_topic_created", "discussion_topic_updated"];
    let students = &["submission_created", "submission_updated", "grade_posted", "grade_change"];
    let mut checks = Check::all(assignments, [("/body/assignment_id", Shape::Text)]).to_vec();
    checks.extend(Check::all(submissions, [("/body/submission_id", Shape::Text)]));
    checks.push(Check::any_of(students, &["/body/student_id", "/body/user_id"], Shape::Text));
    let course = [("/body/course/id", Shape::Text), ("/body/user/id", Shape::Text)];
    checks.extend(Check::all(&["course_progress"], course));
    checks.extend(Check::all(&["course_completed"], course));
    checks.extend(Check::all(topics, [("/body/discussion_topic_id", Shape::Text)]));
    checks.extend(Check::all(&["discussion_entry_created"], [("/body/discussion_entry_id", Shape::Text)]));
    checks
}

/// Where an event's subject stands.
pub(super) const SUBJECTS: [&str; 5] =
    ["/body/submission_id", "/body/assignment_id", "/body/discussion_topic_id", "/body/user/id", "/body/student_id"];

/// Canvas's other format, Caliper 1.1: an envelope of events, each with an id. No handler has a use for it, and a
/// subscription that was set to it by mistake shall not be switched off: its events are taken and ignored.
pub(super) fn caliper() -> (Place, Naming) {
    let naming = Naming {
        json: true,
        split: Some(Split::at(Pointer::literal("/data"))),
        key: vec![KeyAt::Place(Place::field("/id"))],
        kind: KindRule {
            at: vec![Place::field("/type")],
            suffix: Some(Place::field("/action")),
            ..KindRule::default()
        },
        subject: vec![Place::field("/object/id")],
        occurred_at: Some((Place::field("/eventTime"), TimeForm::Rfc3339)),
        required: vec![("", Place::field("/id"))],
        ..Naming::default()
    };
    (Place::field("/sensor"), naming)
}

fn profile() -> Profile {
    let verifier = Verifier::Any(vec![Verifier::Jws(jws()), Verifier::Signed(hmac()), Verifier::Token(token())]);
    Profile {
        // Not documented; the signed form is no JSON.
        content_types: ContentTypes::Any,
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashWithout(CLAIMS.map(Pointer::literal).to_vec())],
            kind: KindRule {
                at: vec![Place::field("/metadata/event_name"), Place::field("/event_name")],
                known: KINDS,
                ..KindRule::default()
            },
            tenant: vec![Place::field("/metadata/root_account_uuid")],
            subject: SUBJECTS.map(Place::field).to_vec(),
            occurred_at: Some((Place::field("/metadata/event_time"), TimeForm::Rfc3339)),
            checks: checks(),
            forms: vec![caliper()],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/canvas"), verifier)
    }
}

pub(super) fn sample(draft: &Draft<'_>) -> Value {
    let (student, at) = (draft.subject_or("21070000000000042"), draft.time());
    let body = match draft.kind {
        "course_progress" | "course_completed" => json!({
            "course": {"id": "21070000000000565", "name": "Biology", "account_id": "21070000000000079"},
            "progress": {"requirement_count": 4, "requirement_completed_count": 3, "completed_at": null},
            "user": {"id": student, "name": "Jane Doe", "email": "jane@example.com"},
        }),
        kind if kind.starts_with("assignment_") => json!({
            "assignment_id": "21070000000000012", "title": "Cells", "description": "<p>Draw one.</p>",
            "context_id": "21070000000000565", "context_type": "Course", "due_at": null, "points_possible": 100,
            "workflow_state": "published", "updated_at": at,
        }),
        kind if kind.starts_with("submission_") => json!({
            "submission_id": "21070000000000077", "assignment_id": "21070000000000012", "user_id": student,
            "attempt": 1, "workflow_state": "submitted", "submitted_at": at, "score": null, "grade": null,
        }),
        kind if kind.starts_with("discussion_entry_") => json!({
            "discussion_entry_id": "21070000000000003", "discussion_topic_id": "21070000000000002",
            "text": "<p>I drew a plant cell.</p>", "user_id": student, "created_at": at,
        }),
        kind if kind.starts_with("discussion_") => json!({
            "discussion_topic_id": "21070000000000002", "title": "Cells", "body": "<p>Which did you draw?</p>",
            "context_id": "21070000000000565", "context_type": "Course", "user_id": student, "workflow_state": "active",
        }),
        _ => json!({
            "assignment_id": "21070000000000012", "submission_id": "21070000000000077", "student_id": student,
            "user_id": student, "grader_id": "21070000000000001", "grade": "85", "score": 85, "points_possible": 100,
            "old_grade": null, "old_score": null, "grading_complete": true,
        }),
    };
    json!({
        "metadata": {
            "event_name": draft.kind, "event_time": at, "producer": "canvas", "job_id": draft.id,
            "root_account_id": "21070000000000001", "root_account_uuid": draft.tenant.unwrap_or("account_1"),
        },
        "body": body,
    })
}
