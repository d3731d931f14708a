//! Atomic Guide's services (document C), each a source of its own: `service = "transcriber"` makes it
//! `/webhooks/services/transcriber`. API key (`X-API-Key` or bearer) or HMAC, with the service's own secrets.
//!
//! Without `service`, one source serves every service id with the same secrets, and the id is the tenant.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Token, Verifier},
    },
    Preset, canvas, path,
};
use crate::settings::RateLimit;

pub(super) const PRESET: Preset = Preset { name: "service", profile, sample };

const KINDS: &[&str] = &["transcription.completed", "user.behavior"];

/// Document C: "50 req/min".
const LIMIT: RateLimit = RateLimit::rejecting(50, Duration::from_secs(60), 50);

fn profile() -> Profile {
    let token = Token { at: vec![Place::header("x-api-key"), Place::Bearer] };
    let ways = vec![Verifier::Token(token), Verifier::Signed(canvas::hmac())];
    Profile {
        rate_limit: LIMIT,
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("idempotency-key")), KeyAt::BodyHash],
            body_guard: true,
            kind: KindRule { at: vec![Place::field("/type")], known: KINDS, ..KindRule::default() },
            tenant: vec![Place::Path("serviceId".into())],
            subject: ["/data/videoId", "/data/userId"].map(Place::field).to_vec(),
            occurred_at: Some((Place::field("/data/timestamp"), TimeForm::Any)),
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/services/{serviceId}"), Verifier::Any(ways))
    }
}

/// What each of a user's inner events says.
const INNER: &[(&str, Shape)] =
    &[("type", Shape::OneOf(&["click", "view", "interaction"])), ("element", Shape::Text), ("timestamp", Shape::Time)];

fn checks() -> Vec<Check> {
    let mut checks = Check::all(
        &["transcription.completed"],
        [
            ("/data/jobId", Shape::Text),
            ("/data/videoId", Shape::Text),
            ("/data/transcriptionUrl", Shape::Text),
            ("/data/confidence", Shape::Number),
            ("/data/duration", Shape::Number),
            ("/data/timestamp", Shape::Time),
        ],
    )
    .to_vec();
    checks.extend(Check::all(
        &["user.behavior"],
        [("/data/userId", Shape::Text), ("/data/sessionId", Shape::Text), ("/data/events", Shape::Objects(INNER))],
    ));
    checks
}

fn sample(draft: &Draft<'_>) -> Value {
    let at = draft.time();
    let data = match draft.kind {
        "user.behavior" => json!({
            "userId": draft.subject_or("user123"), "sessionId": draft.id,
            "events": [
                {"type": "view", "element": "video", "timestamp": at, "metadata": {"videoId": "video_1"}},
                {"type": "click", "element": "#play", "timestamp": at},
            ],
        }),
        _ => json!({
            "jobId": draft.id, "videoId": draft.subject_or("video_1"), "confidence": 0.93, "duration": 61.5,
            "transcriptionUrl": "https://transcripts.example.com/video_1.txt", "timestamp": at,
        }),
    };
    json!({"type": draft.kind, "data": data})
}
