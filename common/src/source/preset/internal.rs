//! Events from within (documents C and E): a JWT as bearer token, which must expire; the type in the path and in the body
//! must agree.
//!
//! HS256 with the shared secrets, unless the settings name a key set; then RS256, ES256 and EdDSA. The token covers nothing
//! of the body, so the same body under another key is a duplicate.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Jws, Verifier},
    },
    Preset, path,
};
use crate::settings::RateLimit;

pub(super) const PRESET: Preset = Preset { name: "internal", profile, sample };

const KINDS: &[&str] = &[
    "video.upload.completed",
    "deep_link.created",
    "order.updated",
    "production.stage_changed",
    "quality.result_recorded",
];

/// Document C: "200 req/min".
const LIMIT: RateLimit = RateLimit::rejecting(200, Duration::from_secs(60), 200);

fn profile() -> Profile {
    Profile {
        rate_limit: LIMIT,
        naming: Naming {
            json: true,
            key: vec![
                KeyAt::Place(Place::header("idempotency-key")),
                KeyAt::Place(Place::field("/id")),
                KeyAt::BodyHash,
            ],
            kind: KindRule {
                at: vec![Place::field("/type")],
                agrees_with: Some(Place::Path("eventType".into())),
                known: KINDS,
                only_known: true,
                ..KindRule::default()
            },
            subject: ["/data/videoId", "/data/linkId", "/data/orderId"].map(Place::field).to_vec(),
            occurred_at: Some((Place::field("/data/timestamp"), TimeForm::Any)),
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/internal/{eventType}"), Verifier::Jws(Jws::bearer()))
    }
}

fn checks() -> Vec<Check> {
    let when = ("/data/timestamp", Shape::Time);
    let mut checks = Check::all(&["video.upload.completed"], [("/data/videoId", Shape::Text), when]).to_vec();
    checks.extend(Check::all(
        &["deep_link.created"],
        [
            ("/data/linkId", Shape::Text),
            ("/data/resourceType", Shape::OneOf(&["assessment", "content", "activity"])),
            ("/data/contextId", Shape::Text),
            ("/data/createdBy", Shape::Text),
            ("/data/configuration", Shape::Object),
            when,
        ],
    ));
    checks.extend(Check::all(&["order."], [("/data/orderId", Shape::Text), ("/data/status", Shape::Text), when]));
    checks.extend(Check::all(&["production."], [("/data/orderId", Shape::Text), ("/data/stage", Shape::Text), when]));
    checks.extend(Check::all(&["quality."], [("/data/orderId", Shape::Text), ("/data/result", Shape::Text), when]));
    checks
}

fn sample(draft: &Draft<'_>) -> Value {
    let at = draft.time();
    let data = match draft.kind {
        "video.upload.completed" => json!({
            "videoId": draft.subject_or("video_1"), "timestamp": at,
            "metadata": {"title": "Cells", "duration": 61.5, "userId": "user123"},
        }),
        "deep_link.created" => json!({
            "linkId": draft.subject_or("link_1"), "resourceType": "assessment", "contextId": "course_1",
            "createdBy": "user123", "configuration": {"attempts": 2}, "timestamp": at,
        }),
        "order.updated" => json!({"orderId": draft.subject_or("order_1"), "status": "in_production", "timestamp": at}),
        "production.stage_changed" => json!({
            "orderId": draft.subject_or("order_1"), "stage": "cutting", "status": "completed", "timestamp": at,
        }),
        _ => json!({
            "orderId": draft.subject_or("order_1"), "resultId": draft.id, "result": "passed", "inspector": "user123",
            "timestamp": at,
        }),
    };
    json!({"type": draft.kind, "data": data})
}
