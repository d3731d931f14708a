//! Document C, "Webhook API". Most of its events are shown as types: each is sent as an instance of its type, with every
//! field that the type has.

use lychgate_tests::{
    http::Request,
    sender::{hex_sha256, now},
};
use serde_json::{Value, json};

use super::{Example, ends, is_refused};
use crate::atomic_guide::{LTI, MOODLE, SERVICE, bearer, stage};

/// "Mock Webhook Events", as `JSON.stringify` writes it.
const MOCK: Example = Example {
    section: "Mock Webhook Events",
    payload: r#"{"type":"grade.updated","data":{"userId":"user123","resourceLinkId":"link456","score":85,"maxScore":100,"timestamp":"2024-01-01T12:00:00Z"}}"#,
};

/// "Webhook Testing Tools", the first call.
const CURL: Example = Example {
    section: "Webhook Testing Tools: curl",
    payload: r#"{"type": "test.event", "data": {"message": "test"}}"#,
};

/// The second, which the document sends to somebody else.
const ELSEWHERE: Example = Example { section: "Webhook Testing Tools: webhook.site", payload: r#"{"event": "test"}"# };

/// The members of the types under "LTI Platform Webhooks", with their alternatives.
const LTI_TYPES: [(&str, &str, &str); 3] = [
    (
        "Grade Passback Events",
        "grade.created grade.updated grade.deleted",
        r#"{"userId": "user123", "resourceLinkId": "link456", "score": 85, "maxScore": 100, "timestamp": "2024-01-01T12:00:00Z", "gradeId": "grade789"}"#,
    ),
    (
        "Membership Events",
        "member.added member.removed member.updated",
        r#"{"contextId": "course1", "userId": "user123", "roles": ["Learner"], "timestamp": "2024-01-01T12:00:00Z"}"#,
    ),
    (
        "Content Events",
        "content.created content.updated content.deleted",
        r#"{"resourceLinkId": "link456", "contentId": "content1", "title": "Cells", "url": "https://lms.example.com/1", "timestamp": "2024-01-01T12:00:00Z"}"#,
    ),
];

/// "Internal System Webhooks".
const INTERNAL_TYPES: [(&str, &str, &str); 2] = [
    (
        "Video Upload Complete",
        "video.upload.completed",
        r#"{"videoId": "video1", "metadata": {"title": "Cells", "duration": 61}, "timestamp": "2024-01-01T12:00:00Z"}"#,
    ),
    (
        "Deep Link Created",
        "deep_link.created",
        r#"{"linkId": "link1", "resourceType": "assessment", "contextId": "course1", "createdBy": "user123", "configuration": {}, "timestamp": "2024-01-01T12:00:00Z"}"#,
    ),
];

/// What the subscription of "Canvas Event Subscription" asks for, and the least that such an event says.
const CANVAS_TYPES: [(&str, &str); 5] = [
    ("assignment_created", r#"{"assignment_id": "21070000000000012", "title": "Cells"}"#),
    ("assignment_updated", r#"{"assignment_id": "21070000000000012", "title": "Cells, drawn"}"#),
    ("grade_posted", r#"{"assignment_id": "21070000000000012", "student_id": "21070000000000042", "score": 85}"#),
    (
        "submission_created",
        r#"{"submission_id": "21070000000000077", "assignment_id": "21070000000000012", "user_id": "21070000000000042"}"#,
    ),
    (
        "discussion_topic_created",
        r#"{"discussion_topic_id": "21070000000000002", "title": "Cells", "body": "<p>Which?</p>"}"#,
    ),
];

/// The names of "Moodle Event Configuration" and "Moodle Event Handler".
const MOODLE_TYPES: [&str; 5] = [
    "course_module_created",
    "user_graded",
    "course_completed",
    r"core\event\user_graded",
    r"core\event\course_module_created",
];

fn lti(payload: &str) -> Request {
    let signature = format!("sha256={}", hex_sha256(LTI.as_bytes(), payload.as_bytes()));
    Request::post("/webhooks/lti/events", payload).header("X-Webhook-Signature", signature)
}

fn of_type(kind: &str, data: &str) -> String {
    format!(r#"{{"type": "{kind}", "data": {data}}}"#)
}

#[tokio::test]
async fn document_c_shows_events_of_three_routes_and_each_ends_as_it_says() {
    let (stage, files) = stage().await;
    ends(&stage, MOCK.section, &lti(MOCK.payload), "succeeded").await;
    for (section, kinds, data) in LTI_TYPES {
        for kind in kinds.split(' ') {
            ends(&stage, section, &lti(&of_type(kind, data)), "succeeded").await;
        }
    }
    for (name, body) in CANVAS_TYPES {
        let payload = format!(r#"{{"event_name": "{name}", "body": {body}}}"#);
        ends(&stage, "Canvas Event Subscription", &lti(&payload), "succeeded").await;
    }
    for name in MOODLE_TYPES {
        let event = json!({"eventname": name, "relateduserid": "7", "userid": "2", "courseid": "3", "objectid": "4",
            "contextinstanceid": "5", "other": {"itemid": "6", "finalgrade": 8}, "timecreated": 1_704_110_400});
        ends(&stage, "Moodle Event Handler", &lti(&event.to_string()), "succeeded").await;
        let mut stock = event.clone();
        stock["token"] = json!(MOODLE);
        stock["timecreated"] = json!("1704110401");
        let stock = Request::post("/webhooks/lti/events", stock.to_string());
        ends(&stage, "Moodle, as its own plugin sends", &stock, "succeeded").await;
    }
    for (section, kind, data) in INTERNAL_TYPES {
        let claims = json!({"exp": now() + 60, "iss": "atomic-guide", "aud": "lychgate"});
        let request = Request::post(&format!("/webhooks/internal/{kind}"), of_type(kind, data))
            .header("Authorization", bearer(&claims));
        ends(&stage, section, &request, "succeeded").await;
    }
    let transcription = json!({"jobId": "job1", "videoId": "video1", "transcriptionUrl": format!("{}/t.txt", files.url()),
        "confidence": 0.93, "duration": 61.5, "timestamp": "2024-01-01T12:00:00Z"});
    let behaviour = r##"{"userId": "user123", "sessionId": "session1", "events": [
        {"type": "click", "element": "#play", "timestamp": "2024-01-01T12:00:00Z"},
        {"type": "view", "element": "video", "timestamp": "2024-01-01T12:00:01Z", "metadata": {"videoId": "video1"}},
        {"type": "interaction", "element": "quiz", "timestamp": "2024-01-01T12:00:02Z"}]}"##;
    for (section, kind, data) in [
        ("Transcription Complete", "transcription.completed", transcription.to_string()),
        ("User Behavior Events", "user.behavior", behaviour.to_owned()),
    ] {
        let payload = of_type(kind, &data);
        // "API key or HMAC signature".
        let by_key = Request::post("/webhooks/services/transcriber", payload.clone()).header("X-API-Key", SERVICE);
        ends(&stage, section, &by_key, "succeeded").await;
        let signature = hex_sha256(SERVICE.as_bytes(), payload.as_bytes());
        let signed = Request::post("/webhooks/services/transcriber", payload).header("X-Webhook-Signature", signature);
        assert_eq!(stage.send(&signed).await.header("idempotent-replayed"), Some("true"), "{section}");
    }

    let detail = |text: &str| -> Value { json!({ "detail": text }) };
    let Example { section, payload } = CURL;
    is_refused(&stage, section, &lti(payload), 400, &detail("Unknown event type")).await;
    let placeholder = lti(payload).replacing("X-Webhook-Signature", "sha256=<signature>");
    assert_eq!(stage.send(&placeholder).await.status, 401, "{section}");
    let unsigned = lti(payload).without("X-Webhook-Signature");
    is_refused(&stage, section, &unsigned, 401, &detail("Missing webhook signature")).await;
    let Example { section, payload } = ELSEWHERE;
    let words = "Missing /type in payload: the field is required and must not be empty";
    is_refused(&stage, section, &lti(payload), 400, &detail(words)).await;
}
