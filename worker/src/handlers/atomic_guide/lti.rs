//! The document's own dialect, `{type, data}`: grades, memberships, content.
//!
//! What is deleted is marked, never removed.

use lychgate_common::{
    change::{Change, Row, Table},
    row,
};

use super::{Told, out_of_range};
use crate::handler::Failure;

/// Grades passed back.
pub(super) static GRADE: Table = Table {
    name: "lti_grade",
    key: &["source", "grade_id"],
    columns: &["user_id", "resource_link_id", "score", "max_score", "created_at", "updated_at", "deleted_at"],
};

/// Who is in which course.
pub(super) static MEMBERSHIP: Table = Table {
    name: "lti_membership",
    key: &["source", "context_id", "user_id"],
    columns: &["roles", "added_at", "updated_at", "removed_at"],
};

/// What is linked into courses.
pub(super) static CONTENT: Table = Table {
    name: "lti_content",
    key: &["source", "content_id"],
    columns: &["resource_link_id", "title", "url", "created_at", "updated_at", "deleted_at"],
};

pub(super) fn changes(told: &Told<'_>) -> Result<Option<Vec<Change>>, Failure> {
    let change = match told.event.kind.as_ref() {
        "grade.created" | "grade.updated" => grade(told)?,
        "grade.deleted" => told.merge(&GRADE, with(grade_key(told)?, row! { "deleted_at" => told.at })),
        "member.added" | "member.updated" => member(told)?,
        "member.removed" => told.merge(&MEMBERSHIP, with(member_key(told)?, row! { "removed_at" => told.at })),
        "content.created" | "content.updated" => content(told)?,
        "content.deleted" => told.merge(&CONTENT, with(content_key(told)?, row! { "deleted_at" => told.at })),
        _ => return Ok(None),
    };
    Ok(Some(vec![change]))
}

/// The document's own example of an update has no `gradeId`: link and user then name the grade.
fn grade_key(told: &Told<'_>) -> Result<Row, Failure> {
    let id = match told.data.optional_text("gradeId")?.filter(|id| !id.trim().is_empty()) {
        Some(id) => id,
        None => format!("{}/{}", told.data.text("resourceLinkId")?, told.data.text("userId")?),
    };
    Ok(row! { "grade_id" => id })
}

fn grade(told: &Told<'_>) -> Result<Change, Failure> {
    let data = &told.data;
    let (score, max_score) = (data.number("score")?, data.number("maxScore")?);
    if max_score <= 0.0 {
        return Err(out_of_range(data, "maxScore", "more than 0"));
    }
    if !(0.0..=max_score).contains(&score) {
        return Err(out_of_range(data, "score", "from 0 to maxScore"));
    }
    let row = row! {
        "user_id" => data.text("userId")?,
        "resource_link_id" => data.text("resourceLinkId")?,
        "score" => score,
        "max_score" => max_score,
        "updated_at" => told.at,
        "deleted_at" => Option::<String>::None,
    };
    Ok(told.merge(&GRADE, with(with(grade_key(told)?, row), created(told, "created_at"))))
}

fn member_key(told: &Told<'_>) -> Result<Row, Failure> {
    Ok(row! { "context_id" => told.data.text("contextId")?, "user_id" => told.data.text("userId")? })
}

fn member(told: &Told<'_>) -> Result<Change, Failure> {
    let roles = told.data.optional_texts("roles")?.ok_or_else(|| told.data.missing("roles"))?;
    let mut row = row! { "roles" => roles, "updated_at" => told.at };
    row.extend(created(told, "added_at"));
    if told.event.kind.as_ref() == "member.added" {
        row.extend(row! { "removed_at" => Option::<String>::None });
    }
    Ok(told.merge(&MEMBERSHIP, with(member_key(told)?, row)))
}

fn content_key(told: &Told<'_>) -> Result<Row, Failure> {
    Ok(row! { "content_id" => told.data.text("contentId")? })
}

fn content(told: &Told<'_>) -> Result<Change, Failure> {
    let row = row! {
        "resource_link_id" => told.data.text("resourceLinkId")?,
        "title" => told.data.text("title")?,
        "url" => told.data.text("url")?,
        "updated_at" => told.at,
        "deleted_at" => Option::<String>::None,
    };
    Ok(told.merge(&CONTENT, with(with(content_key(told)?, row), created(told, "created_at"))))
}

/// When it began, where this event is the beginning.
fn created(told: &Told<'_>, column: &str) -> Row {
    let begins = told.event.kind.ends_with(".created") || told.event.kind.ends_with(".added");
    if begins { Row::from_iter([(column.to_owned(), told.at.to_string().into())]) } else { Row::new() }
}

fn with(mut row: Row, more: Row) -> Row {
    row.extend(more);
    row
}
