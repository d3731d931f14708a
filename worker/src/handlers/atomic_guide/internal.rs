//! Events from within: uploads and deep links (document C), orders, production and quality (document E).

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::{Told, out_of_range, production, video, whole};
use crate::handler::Failure;

/// Links that teachers placed into courses.
pub(super) static DEEP_LINK: Table = Table {
    name: "deep_link",
    key: &["source", "link_id"],
    columns: &["resource_type", "context_id", "created_by", "configuration", "created_at"],
};

/// Document C's.
const RESOURCE_TYPES: [&str; 3] = ["assessment", "content", "activity"];

pub(super) fn changes(told: &Told<'_>) -> Result<Option<Vec<Change>>, Failure> {
    Ok(Some(match told.event.kind.as_ref() {
        "video.upload.completed" => video::uploaded(told)?,
        "deep_link.created" => vec![deep_link(told)?],
        "order.updated" => vec![production::order(told)?],
        "production.stage_changed" => production::stage(told)?,
        "quality.result_recorded" => vec![production::quality(told)?],
        _ => return Ok(None),
    }))
}

fn deep_link(told: &Told<'_>) -> Result<Change, Failure> {
    let resource_type = told.data.text("resourceType")?;
    if !RESOURCE_TYPES.contains(&resource_type.as_str()) {
        return Err(out_of_range(&told.data, "resourceType", "assessment, content or activity"));
    }
    let _ = told.data.object("configuration")?;
    let row = row! {
        "link_id" => told.data.text("linkId")?,
        "resource_type" => resource_type,
        "context_id" => told.data.text("contextId")?,
        "created_by" => told.data.text("createdBy")?,
        "configuration" => whole(&told.data, "configuration"),
        "created_at" => told.at,
    };
    Ok(told.merge(&DEEP_LINK, row))
}
