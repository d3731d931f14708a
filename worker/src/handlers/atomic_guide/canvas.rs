//! Canvas Live Events: assignments, submissions and grades become a student's progress; discussions are beside.
//!
//! Ids are text: Canvas's global ones have 17 digits and no number of JavaScript's holds them.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row, Table},
    row,
};

use super::{Told, discussion, time};
use crate::handler::Failure;

/// Assignments.
pub(super) static ASSIGNMENT: Table = Table {
    name: "canvas_assignment",
    key: &["source", "account", "assignment_id"],
    columns: &["course_id", "title", "description", "points_possible", "due_at", "state", "created_at", "updated_at"],
};

/// What students handed in.
pub(super) static SUBMISSION: Table = Table {
    name: "canvas_submission",
    key: &["source", "account", "submission_id"],
    columns: &[
        "assignment_id",
        "student_id",
        "attempt",
        "state",
        "score",
        "grade",
        "submitted_at",
        "graded_at",
        "updated_at",
    ],
};

/// Where a student stands with an assignment.
pub(super) static STUDENT_PROGRESS: Table = Table {
    name: "student_progress",
    key: &["source", "account", "student_id", "assignment_id"],
    columns: &[
        "submission_id",
        "submitted_at",
        "attempt",
        "score",
        "points_possible",
        "grade",
        "grader_id",
        "graded_at",
    ],
};

/// Where a student stands with a course.
pub(super) static COURSE_PROGRESS: Table = Table {
    name: "course_progress",
    key: &["source", "account", "student_id", "course_id"],
    columns: &["course_name", "requirements", "requirements_complete", "completed_at", "updated_at"],
};

pub(super) fn changes(told: &Told<'_>) -> Result<Option<Vec<Change>>, Failure> {
    Ok(Some(match told.event.kind.as_ref() {
        "assignment_created" | "assignment_updated" => vec![assignment(told)?],
        "submission_created" | "submission_updated" => submission(told)?,
        "grade_posted" | "grade_change" => vec![graded(told)?],
        "course_progress" | "course_completed" => vec![course(told)?],
        "discussion_topic_created" | "discussion_topic_updated" => vec![discussion::topic(told)?],
        "discussion_entry_created" => vec![discussion::entry(told)?],
        _ => return Ok(None),
    }))
}

/// A merge under this source's and account's name.
pub(super) fn merge(told: &Told<'_>, table: &'static Table, mut row: Row) -> Change {
    row.extend(row! { "account" => *told.event.tenant });
    told.merge(table, row)
}

/// The course, where the thing belongs to one.
pub(super) fn course_id(told: &Told<'_>) -> Result<Option<String>, Failure> {
    match told.data.optional_text("context_type")?.as_deref() {
        Some("Course") => told.data.optional_text("context_id"),
        Some(_) => Ok(None),
        None => told.data.optional_text("course_id"),
    }
}

fn assignment(told: &Told<'_>) -> Result<Change, Failure> {
    let mut row = told.copied(
        &[("title", "title"), ("description", "description"), ("state", "workflow_state")],
        &[("due_at", "due_at")],
        &[("points_possible", "points_possible")],
    )?;
    row.extend(row! { "assignment_id" => told.data.text("assignment_id")?, "updated_at" => told.at });
    if let Some(course) = course_id(told)? {
        row.extend(row! { "course_id" => course });
    }
    if told.event.kind.ends_with("_created") {
        row.extend(row! { "created_at" => told.at });
    }
    Ok(merge(told, &ASSIGNMENT, row))
}

/// The student, as submissions (`user_id`) and grades (`student_id`) name them.
fn student(told: &Told<'_>) -> Result<String, Failure> {
    match told.data.optional_text("student_id")?.filter(|id| !id.is_empty()) {
        Some(student) => Ok(student),
        None => told.data.text("user_id"),
    }
}

fn submission(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let (submission, student) = (told.data.text("submission_id")?, student(told)?);
    let assignment = told.data.optional_text("assignment_id")?;
    let mut row = told.copied(
        &[("state", "workflow_state"), ("grade", "grade")],
        &[("submitted_at", "submitted_at"), ("graded_at", "graded_at")],
        &[("score", "score")],
    )?;
    let attempt = told.data.optional_integer("attempt")?;
    row.extend(row! { "submission_id" => submission, "student_id" => student, "updated_at" => told.at });
    if let Some(attempt) = attempt {
        row.extend(row! { "attempt" => attempt });
    }
    let Some(assignment) = assignment else { return Ok(vec![merge(told, &SUBMISSION, row)]) };
    row.extend(row! { "assignment_id" => assignment });
    // Grades come with events of their own, so a submission says only what was handed in, and when.
    let mut progress = row! { "student_id" => student, "assignment_id" => assignment, "submission_id" => submission };
    progress.extend(handed_in(told)?);
    if let Some(attempt) = attempt {
        progress.extend(row! { "attempt" => attempt });
    }
    Ok(vec![merge(told, &SUBMISSION, row), merge(told, &STUDENT_PROGRESS, progress)])
}

/// When it was handed in, where the event says so. A submission is created by handing it in; it is also updated by grading
/// what nobody has handed in, and then Canvas sends no time.
fn handed_in(told: &Told<'_>) -> Result<Row, Failure> {
    let created = told.event.kind.as_ref() == "submission_created";
    Ok(match time(&told.data, "submitted_at")? {
        Some(at) => row! { "submitted_at" => at },
        None if created => row! { "submitted_at" => told.at },
        None if told.data.has("submitted_at") => row! { "submitted_at" => None::<Timestamp> },
        None => Row::new(),
    })
}

fn graded(told: &Told<'_>) -> Result<Change, Failure> {
    let mut row = told.copied(
        &[("grade", "grade"), ("grader_id", "grader_id"), ("submission_id", "submission_id")],
        &[],
        &[("score", "score"), ("points_possible", "points_possible")],
    )?;
    row.extend(row! {
        "student_id" => student(told)?,
        "assignment_id" => told.data.text("assignment_id")?,
        "graded_at" => told.at,
    });
    Ok(merge(told, &STUDENT_PROGRESS, row))
}

/// The last requirement is reported as `course_completed` instead of `course_progress`.
fn course(told: &Told<'_>) -> Result<Change, Failure> {
    let (course, user) = (told.data.object("course")?, told.data.object("user")?);
    let mut row = row! {
        "student_id" => user.text("id")?,
        "course_id" => course.text("id")?,
        "course_name" => course.optional_text("name")?,
        "updated_at" => told.at,
    };
    let progress = told.data.optional_object("progress")?;
    let mut completed_at = None;
    if let Some(progress) = &progress {
        row.extend(row! {
            "requirements" => progress.optional_integer("requirement_count")?,
            "requirements_complete" => progress.optional_integer("requirement_completed_count")?,
        });
        completed_at = time(progress, "completed_at")?;
    }
    let completed = told.event.kind.as_ref() == "course_completed";
    row.extend(row! { "completed_at" => completed_at.or_else(|| completed.then_some(told.at)) });
    Ok(merge(told, &COURSE_PROGRESS, row))
}
