//! Videos, and who has to do with them: that is who is told of a transcription.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::{Told, whole};
use crate::handler::Failure;

/// Uploaded videos.
pub(super) static VIDEO: Table = Table {
    name: "video",
    key: &["source", "video_id"],
    columns: &["title", "duration_seconds", "uploaded_by", "metadata", "uploaded_at"],
};

/// Owners and viewers.
pub(super) static USER: Table =
    Table { name: "video_user", key: &["source", "video_id", "user_id", "role"], columns: &["since"] };

/// What uploaders are called.
const OWNERS: [&str; 4] = ["userId", "uploadedBy", "ownerId", "createdBy"];

pub(super) fn uploaded(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let video = told.data.text("videoId")?;
    let metadata = told.data.optional_object("metadata")?;
    let mut row = row! { "video_id" => video, "uploaded_at" => told.at, "metadata" => whole(&told.data, "metadata") };
    let mut owner = told.data.optional_text("userId")?;
    if let Some(metadata) = &metadata {
        for name in OWNERS {
            owner = owner.or(metadata.optional_text(name)?);
        }
        row.extend(row! {
            "title" => metadata.optional_text("title")?,
            "duration_seconds" => metadata.optional_number("duration")?,
        });
    }
    let mut changes = Vec::new();
    if let Some(owner) = owner.filter(|owner| !owner.is_empty()) {
        row.extend(row! { "uploaded_by" => owner });
        changes.push(user(told, &video, &owner, "owner"));
    }
    changes.insert(0, told.merge(&VIDEO, row));
    Ok(changes)
}

/// A user was seen with a video; the earliest time stays.
pub(super) fn user(told: &Told<'_>, video: &str, user: &str, role: &str) -> Change {
    let row = row! {
        "source" => told.source(), "video_id" => video, "user_id" => user, "role" => role, "since" => told.at,
    };
    Change::merge(&USER, row, told.first())
}
