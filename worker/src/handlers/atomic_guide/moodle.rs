//! Moodle's events: grades, modules, completions. Numbers arrive as numbers or as text, names with or without their path.

use lychgate_common::{
    change::{Change, Row, Table},
    row,
};

use super::{Told, fields::Fields};
use crate::handler::Failure;

/// Grades.
pub(super) static GRADE: Table = Table {
    name: "moodle_grade",
    key: &["source", "site", "item_id", "user_id"],
    columns: &["course_id", "final_grade", "overridden", "grader_id", "graded_at"],
};

/// Activities of courses.
pub(super) static MODULE: Table = Table {
    name: "moodle_module",
    key: &["source", "site", "module_id"],
    columns: &["course_id", "kind", "instance_id", "name", "created_at", "updated_at", "deleted_at"],
};

/// Who has completed what.
pub(super) static COMPLETION: Table = Table {
    name: "moodle_completion",
    key: &["source", "site", "course_id", "module_id", "user_id"],
    columns: &["state", "completed_at", "updated_at"],
};

/// Moodle's own numbers for complete, and for complete and passed.
const COMPLETE: [i64; 2] = [1, 2];

pub(super) fn changes(told: &Told<'_>) -> Result<Option<Vec<Change>>, Failure> {
    let name = told.event.kind.rsplit('\\').next().unwrap_or_default();
    Ok(Some(vec![match name {
        "user_graded" => graded(told)?,
        "course_module_created" | "course_module_updated" => module(told, name)?,
        "course_module_deleted" => merge(told, &MODULE, with_module(told, row! { "deleted_at" => told.at })?)?,
        "course_completed" => completed(told)?,
        "course_module_completion_updated" => module_completed(told)?,
        _ => return Ok(None),
    }]))
}

fn merge(told: &Told<'_>, table: &'static Table, mut row: Row) -> Result<Change, Failure> {
    row.extend(row! { "site" => told.data.optional_text("host")?.unwrap_or_default() });
    Ok(told.merge(table, row))
}

/// `other`, which PHP writes as `[]` or null where it is empty.
fn other<'a>(told: &Told<'a>) -> Result<Option<Fields<'a>>, Failure> {
    match told.data.value("other") {
        Some(serde_json::Value::Object(_)) => told.data.optional_object("other"),
        Some(_) | None => Ok(None),
    }
}

fn graded(told: &Told<'_>) -> Result<Change, Failure> {
    let grade = told.data.object("other")?;
    let row = row! {
        "item_id" => grade.text("itemid")?,
        "user_id" => told.data.text("relateduserid")?,
        "course_id" => told.data.optional_text("courseid")?,
        "final_grade" => grade.optional_number("finalgrade")?,
        // `false`, or the time when it was set by hand.
        "overridden" => !matches!(grade.value("overridden"), None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)))
            && grade.optional_text("overridden").ok().flatten().as_deref() != Some("0"),
        "grader_id" => told.data.optional_text("userid")?,
        "graded_at" => told.at,
    };
    merge(told, &GRADE, row)
}

fn with_module(told: &Told<'_>, mut row: Row) -> Result<Row, Failure> {
    let id = match told.data.optional_text("contextinstanceid")? {
        Some(id) => id,
        None => told.data.text("objectid")?,
    };
    row.extend(row! { "module_id" => id, "updated_at" => told.at });
    if let Some(course) = told.data.optional_text("courseid")? {
        row.extend(row! { "course_id" => course });
    }
    Ok(row)
}

fn module(told: &Told<'_>, event: &str) -> Result<Change, Failure> {
    let mut row = row! { "deleted_at" => Option::<String>::None };
    if let Some(module) = other(told)? {
        for (column, field) in [("kind", "modulename"), ("instance_id", "instanceid"), ("name", "name")] {
            if module.has(field) {
                row.insert(column.to_owned(), module.optional_text(field)?.into());
            }
        }
    }
    if event == "course_module_created" {
        row.extend(row! { "created_at" => told.at });
    }
    merge(told, &MODULE, with_module(told, row)?)
}

fn completed(told: &Told<'_>) -> Result<Change, Failure> {
    let row = row! {
        "course_id" => told.data.text("courseid")?,
        "module_id" => "",
        "user_id" => told.data.text("relateduserid")?,
        "state" => COMPLETE[0],
        "completed_at" => told.at,
        "updated_at" => told.at,
    };
    merge(told, &COMPLETION, row)
}

fn module_completed(told: &Told<'_>) -> Result<Change, Failure> {
    let completion = other(told)?.ok_or_else(|| told.data.missing("other"))?;
    let state = completion.integer("completionstate")?;
    let user = match told.data.optional_text("relateduserid")? {
        Some(user) => user,
        None => completion.text("relateduserid")?,
    };
    let row = row! {
        "course_id" => told.data.text("courseid")?,
        "module_id" => told.data.text("contextinstanceid")?,
        "user_id" => user,
        "state" => state,
        "completed_at" => COMPLETE.contains(&state).then_some(told.at),
        "updated_at" => told.at,
    };
    merge(told, &COMPLETION, row)
}
