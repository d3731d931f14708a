//! Orders in production (document E's internal events): an order's state, its stages with their history, quality results.
//!
//! The document names the events and shows none; what is required is what makes a record useful, and the rest is kept.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// What is known of an order beside its payment.
pub(super) static ORDER: Table =
    Table { name: "order_progress", key: &["source", "order_id"], columns: &["status", "detail", "updated_at"] };

/// Each order's stages, as they stand.
pub(super) static STAGE: Table = Table {
    name: "production_stage",
    key: &["source", "order_id", "stage"],
    columns: &["status", "detail", "changed_at"],
};

/// Every change of a stage.
pub(super) static STAGE_HISTORY: Table = Table {
    name: "production_stage_history",
    key: &["event_id"],
    columns: &["source", "order_id", "stage", "status", "changed_at"],
};

/// Results of inspections.
pub(super) static QUALITY: Table = Table {
    name: "quality_result",
    key: &["source", "result_id"],
    columns: &["order_id", "stage", "result", "inspector", "detail", "recorded_at"],
};

pub(super) fn order(told: &Told<'_>) -> Result<Change, Failure> {
    let row = row! {
        "order_id" => told.data.text("orderId")?,
        "status" => told.data.text("status")?,
        "detail" => told.data.others(&["orderId", "status", "timestamp"]),
        "updated_at" => told.at,
    };
    Ok(told.merge(&ORDER, row))
}

pub(super) fn stage(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let (order, stage) = (told.data.text("orderId")?, told.data.text("stage")?);
    let status = told.data.optional_text("status")?.unwrap_or_else(|| "reached".to_owned());
    let now = row! {
        "order_id" => order, "stage" => stage, "status" => status, "changed_at" => told.at,
        "detail" => told.data.others(&["orderId", "stage", "status", "timestamp"]),
    };
    let history = row! {
        "event_id" => told.event.id, "source" => told.source(), "order_id" => order, "stage" => stage,
        "status" => status, "changed_at" => told.at,
    };
    Ok(vec![told.merge(&STAGE, now), Change::append(&STAGE_HISTORY, history)])
}

pub(super) fn quality(told: &Told<'_>) -> Result<Change, Failure> {
    let row = row! {
        "result_id" => told.data.optional_text("resultId")?.unwrap_or_else(|| told.event.id.to_string()),
        "order_id" => told.data.text("orderId")?,
        "stage" => told.data.optional_text("stage")?,
        "result" => told.data.text("result")?,
        "inspector" => told.data.optional_text("inspector")?,
        "detail" => told.data.others(&["orderId", "resultId", "stage", "result", "inspector", "timestamp"]),
        "recorded_at" => told.at,
    };
    Ok(told.merge(&QUALITY, row))
}
