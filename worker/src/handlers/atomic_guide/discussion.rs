//! Discussions, into the full-text index: the index itself is a column that PostgreSQL computes.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::{Told, canvas};
use crate::handler::Failure;

/// Topics and entries.
pub(super) static DISCUSSION: Table = Table {
    name: "discussion",
    key: &["source", "account", "discussion_id"],
    columns: &["topic_id", "course_id", "author_id", "title", "body", "state", "posted_at", "updated_at"],
};

/// A topic; Canvas truncates long bodies and says so, which is all there is to index.
pub(super) fn topic(told: &Told<'_>) -> Result<Change, Failure> {
    let id = told.data.text("discussion_topic_id")?;
    let mut row = told.copied(
        &[("title", "title"), ("body", "body"), ("state", "workflow_state"), ("author_id", "user_id")],
        &[],
        &[],
    )?;
    // Some Canvas versions call the text `message`.
    if let Some(message) = told.data.optional_text("message")? {
        row.entry("body").or_insert(message.into());
    }
    row.extend(row! { "discussion_id" => format!("topic:{id}"), "topic_id" => id, "updated_at" => told.at });
    if let Some(course) = canvas::course_id(told)? {
        row.extend(row! { "course_id" => course });
    }
    if told.event.kind.ends_with("_created") {
        row.extend(row! { "posted_at" => told.at });
    }
    Ok(canvas::merge(told, &DISCUSSION, row))
}

/// An entry of a topic, or an answer to one.
pub(super) fn entry(told: &Told<'_>) -> Result<Change, Failure> {
    let id = told.data.text("discussion_entry_id")?;
    let row = row! {
        "discussion_id" => format!("entry:{id}"),
        "topic_id" => told.data.optional_text("discussion_topic_id")?,
        "author_id" => told.data.optional_text("user_id")?,
        "body" => told.data.optional_text("text")?,
        "posted_at" => super::time(&told.data, "created_at")?.unwrap_or(told.at),
        "updated_at" => told.at,
    };
    Ok(canvas::merge(told, &DISCUSSION, row))
}
