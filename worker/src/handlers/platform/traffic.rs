//! What the platform says about itself: rate-limit violations, API errors, maintenance windows.
//!
//! The document shows an example of the first only; the other two follow its pattern (`data.error`,
//! `data.maintenance`), with as little required as makes a record useful.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// Who exceeded which limit.
pub(super) static VIOLATION: Table = Table {
    name: "platform_rate_limit_violation",
    key: &["event_id"],
    columns: &["source", "at", "user_id", "endpoint", "request_limit", "window_seconds", "exceeded_by"],
};

/// Errors of the platform's API.
pub(super) static API_ERROR: Table = Table {
    name: "platform_api_error",
    key: &["event_id"],
    columns: &["source", "at", "message", "code", "status", "method", "endpoint", "request_id", "user_id"],
};

/// Maintenance windows, as last announced.
pub(super) static MAINTENANCE: Table = Table {
    name: "platform_maintenance",
    key: &["source", "id"],
    columns: &["starts_at", "ends_at", "status", "title", "description", "services"],
};

pub(super) fn rate_limit_exceeded(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let limit = told.data.object("rate_limit")?;
    let row = row! {
        "event_id" => told.event.id,
        "source" => told.source(),
        "at" => told.at,
        "user_id" => limit.optional_text("user_id")?,
        "endpoint" => limit.text("endpoint")?,
        "request_limit" => limit.integer("limit")?,
        "window_seconds" => limit.integer("window")?,
        "exceeded_by" => limit.integer("exceeded_by")?,
    };
    Ok(vec![Change::append(&VIOLATION, row)])
}

pub(super) fn api_error(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let error = told.data.object("error")?;
    let row = row! {
        "event_id" => told.event.id,
        "source" => told.source(),
        "at" => told.at,
        "message" => error.text("message")?,
        "code" => error.optional_text("code")?,
        "status" => error.optional_integer("status")?,
        "method" => error.optional_text("method")?,
        "endpoint" => error.optional_text("endpoint")?,
        "request_id" => error.optional_text("request_id")?,
        "user_id" => error.optional_text("user_id")?,
    };
    Ok(vec![Change::append(&API_ERROR, row)])
}

/// One window an id; a later announcement moves, completes or cancels it, and sets only what it names.
pub(super) fn maintenance(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let window = told.data.object("maintenance")?;
    let (starts_at, ends_at) = (window.time("starts_at")?, window.optional_time("ends_at")?);
    if ends_at.is_some_and(|ends_at| ends_at < starts_at) {
        let message = format!("{} is before the window starts", window.pointer_to("ends_at"));
        return Err(Failure::permanent("wrong_value", message));
    }
    let mut row = row! {
        "source" => told.source(),
        "id" => window.optional_text("id")?.unwrap_or_else(|| told.event.id.to_string()),
        "starts_at" => starts_at,
    };
    if window.has("ends_at") {
        row.extend(row! { "ends_at" => ends_at });
    }
    for column in ["status", "title", "description"] {
        if window.has(column) {
            row.insert(column.to_owned(), window.optional_text(column)?.into());
        }
    }
    if window.has("services") {
        row.insert("services".to_owned(), window.optional_texts("services")?.into());
    }
    Ok(vec![Change::merge(&MAINTENANCE, row, told.version.clone())])
}
