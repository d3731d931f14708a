//! Atomic Guide's route for learning platforms (document C): three dialects on one path.
//!
//! `{type, data}` is the document's own, whose unknown types are refused; Canvas (`event_name`, plain or as a JWT) and
//! Moodle (`eventname`) also report what nobody asked for, which is taken and ignored. HMAC with or without `sha256=`;
//! Canvas's JWT where that is sent instead, and a static token: in the URL for Canvas that does not sign, in a header or in
//! the body for Moodle.

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
        time::TimeForm,
        verify::Verifier,
    },
    Preset, canvas, moodle, path,
};
use crate::settings::RateLimit;

pub(super) const PRESET: Preset = Preset { name: "lti", profile, sample };

/// The document's, then Canvas's and Moodle's.
const KINDS: &[&str] = &[
    "grade.created",
    "grade.updated",
    "grade.deleted",
    "member.added",
    "member.removed",
    "member.updated",
    "content.deleted",
    "content.updated",
    "content.created",
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
    "user_graded",
    "course_module_created",
    r"core\event\user_graded",
    r"core\event\course_module_created",
    r"core\event\course_completed",
    r"\core\event\user_graded",
    r"\core\event\course_module_created",
    r"\core\event\course_module_updated",
    r"\core\event\course_module_deleted",
    r"\core\event\course_module_completion_updated",
    r"\core\event\course_completed",
];

/// Document C: "100 req/min".
const LIMIT: RateLimit = RateLimit::rejecting(100, Duration::from_secs(60), 100);

fn profile() -> Profile {
    // In the body last: what stands in the head was put there on purpose.
    let tokens = [moodle::token_in_head(), canvas::token(), moodle::token()].map(Verifier::Token);
    let ways = [Verifier::Signed(canvas::hmac()), Verifier::Jws(canvas::jws())].into_iter().chain(tokens).collect();
    let volatile = canvas::CLAIMS.into_iter().chain(["/token"]);
    Profile {
        content_types: ContentTypes::Any,
        rate_limit: LIMIT,
        redact: &["token"],
        naming: Naming {
            json: true,
            key: vec![
                KeyAt::Place(Place::header("idempotency-key")),
                KeyAt::BodyHashWithout(volatile.map(Pointer::literal).collect()),
            ],
            body_guard: true,
            kind: KindRule {
                at: ["/type", "/metadata/event_name", "/event_name", "/eventname"].map(Place::field).to_vec(),
                known: KINDS,
                only_known: true,
                lenient: ["/metadata/event_name", "/event_name", "/eventname"].map(Place::field).to_vec(),
                ..KindRule::default()
            },
            tenant: vec![Place::field("/metadata/root_account_uuid")],
            subject: ["/data/gradeId", "/data/contentId", "/data/userId"]
                .into_iter()
                .chain(canvas::SUBJECTS)
                .chain(moodle::SUBJECTS)
                .map(Place::field)
                .collect(),
            occurred_at: Some((Place::field("/data/timestamp"), TimeForm::Any)),
            occurred_at_or: vec![
                (Place::field("/metadata/event_time"), TimeForm::Rfc3339),
                (Place::field("/timecreated"), TimeForm::Seconds),
            ],
            checks: checks(),
            forms: vec![canvas::caliper()],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/lti/events"), Verifier::Any(ways))
    }
}

fn checks() -> Vec<Check> {
    let when = ("/data/timestamp", Shape::Time);
    let mut checks =
        Check::all(&["grade."], [("/data/userId", Shape::Text), ("/data/resourceLinkId", Shape::Text), when]).to_vec();
    let scores = [("/data/score", Shape::Number), ("/data/maxScore", Shape::Number)];
    checks.extend(Check::all(&["grade.created", "grade.updated"], scores));
    // After what they are: a score that its document rules out would be a dead letter tomorrow. Fields of which the
    // document says nothing are judged by nobody here.
    checks.push(Check::scored(&["grade.created", "grade.updated"], "/data/score", "/data/maxScore"));
    checks.extend(Check::all(&["member."], [("/data/contextId", Shape::Text), ("/data/userId", Shape::Text), when]));
    checks.extend(Check::all(&["member.added", "member.updated"], [("/data/roles", Shape::Texts)]));
    let content = [("/data/resourceLinkId", Shape::Text), ("/data/contentId", Shape::Text), when];
    checks.extend(Check::all(&["content."], content));
    let shown = [("/data/title", Shape::Text), ("/data/url", Shape::Text)];
    checks.extend(Check::all(&["content.created", "content.updated"], shown));
    // A bare `course_completed` may be Canvas's or Moodle's.
    let bare = &["course_completed"];
    let of_one_dialect = |check: &Check| check.kinds != bare;
    checks.extend(canvas::checks().into_iter().chain(moodle::checks()).filter(of_one_dialect));
    checks.push(Check::any_of(bare, &["/body/course/id", "/courseid"], Shape::Text));
    checks.push(Check::any_of(bare, &["/body/user/id", "/relateduserid"], Shape::Text));
    checks
}

fn sample(draft: &Draft<'_>) -> Value {
    let (user, at) = (draft.subject_or("user123"), draft.time());
    let data = match draft.kind.split_once('.') {
        Some(("grade", _)) => json!({
            "userId": user, "resourceLinkId": "link456", "score": 85, "maxScore": 100, "timestamp": at,
            "gradeId": format!("grade_of_{user}"),
        }),
        Some(("member", _)) => {
            json!({"contextId": "course_1", "userId": user, "roles": ["Learner"], "timestamp": at})
        }
        Some(("content", _)) => json!({
            "resourceLinkId": "link456", "contentId": "content_1", "title": "Cells",
            "url": "https://lms.example.com/content/1", "timestamp": at,
        }),
        Some(_) => json!({"message": "test", "timestamp": at}),
        None if draft.kind.contains('\\') || moodle::KINDS.contains(&draft.kind) => return moodle::sample(draft),
        None => return canvas::sample(draft),
    };
    json!({"type": draft.kind, "data": data})
}
