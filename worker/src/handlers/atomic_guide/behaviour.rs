//! What users do (document C's `user.behavior`): one measurement per inner event, in the table that document E shares.
//!
//! One broken inner event fails the whole, and says which: half a session would be believed.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row},
    row,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ANALYTICS, Told, fields::Fields, out_of_range, time, video};
use crate::handler::Failure;

/// Document C's.
const KINDS: [&str; 3] = ["click", "view", "interaction"];

/// Most events of one request: ten minutes of a very busy user.
const EVENT_LIMIT: usize = 1000;

pub(super) fn changes(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let (user, session) = (told.data.text("userId")?, told.data.text("sessionId")?);
    let events = told.data.objects("events")?;
    if events.len() > EVENT_LIMIT {
        return Err(out_of_range(&told.data, "events", "at most 1000 events"));
    }
    let mut changes = Vec::new();
    for (at, inner) in events.iter().enumerate() {
        let (kind, recorded_at) = (inner.text("type")?, when(inner)?);
        if !KINDS.contains(&kind.as_str()) {
            return Err(out_of_range(inner, "type", "click, view or interaction"));
        }
        let metadata = inner.value("metadata").filter(|value| value.is_object()).cloned();
        let seen = metadata.as_ref().and_then(|metadata| metadata.get("videoId")).and_then(Value::as_str);
        if let Some(seen) = seen.filter(|id| !id.is_empty() && !id.contains('\0')) {
            let told = Told { at: recorded_at, data: inner.clone(), event: told.event };
            changes.push(video::user(&told, seen, &user, "viewer"));
        }
        let dimensions = row! {
            "type" => kind, "element" => inner.text("element")?, "user_id" => user, "session_id" => session,
            "metadata" => metadata,
        };
        let row: Row = row! {
            "id" => id(told, at),
            "source" => told.source(),
            "metric_type" => "user_behavior",
            "dimensions" => without_nul(Value::Object(dimensions)),
            "value" => 1,
            "recorded_at" => recorded_at,
        };
        changes.push(Change::append(ANALYTICS, row));
    }
    Ok(changes)
}

fn when(inner: &Fields<'_>) -> Result<Timestamp, Failure> {
    time(inner, "timestamp")?.ok_or_else(|| inner.missing("timestamp"))
}

/// The same id for the same inner event, however often it is handled.
fn id(told: &Told<'_>, at: usize) -> String {
    let digest = Sha256::digest(format!("{}/{at}", told.event.id));
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// PostgreSQL's jsonb holds no NUL; what users click on is nothing to fail for.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value))).collect()
        }
        other => other,
    }
}
