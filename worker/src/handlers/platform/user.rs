//! Users and their sessions.
//!
//! A user is marked as deleted, never removed. A login or an update may come before the creation: the row then holds
//! what is known so far.

use lychgate_common::{
    change::{Change, Row, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// Users of the platform.
pub(super) static USER: Table = Table {
    name: "platform_user",
    key: &["source", "id"],
    columns: &["username", "name", "permissions", "created_at", "deleted_at", "last_login_at", "logged_out_at"],
};

/// Their sessions.
pub(super) static SESSION: Table = Table {
    name: "platform_session",
    key: &["source", "id"],
    columns: &["user_id", "started_at", "ended_at", "ip_address", "user_agent"],
};

pub(super) fn created(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let user = told.data.object("user")?;
    let mut row = row! {
        "source" => told.source(),
        "id" => user.text("id")?,
        "username" => user.text("username")?,
        "name" => user.optional_text("name")?,
        "created_at" => user.optional_time("created_at")?.unwrap_or(told.at),
        // An id that is used again after a deletion is a living user.
        "deleted_at" => Option::<String>::None,
    };
    if user.has("permissions") {
        row.insert("permissions".to_owned(), user.optional_texts("permissions")?.into());
    }
    Ok(vec![Change::merge(&USER, row, told.version.clone())])
}

/// Sets what the event names, and leaves the rest.
pub(super) fn updated(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let user = told.data.object("user")?;
    let mut row = row! { "source" => told.source(), "id" => user.text("id")? };
    if user.has("username") {
        row.insert("username".to_owned(), user.text("username")?.into());
    }
    if user.has("name") {
        row.insert("name".to_owned(), user.optional_text("name")?.into());
    }
    if user.has("permissions") {
        row.insert("permissions".to_owned(), user.optional_texts("permissions")?.into());
    }
    if let Some(at) = user.optional_time("created_at")? {
        row.insert("created_at".to_owned(), at.to_string().into());
    }
    Ok(vec![Change::merge(&USER, row, told.version.clone())])
}

pub(super) fn deleted(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let user = told.data.object("user")?;
    let at = user.optional_time("deleted_at")?.unwrap_or(told.at);
    let row = row! { "source" => told.source(), "id" => user.text("id")?, "deleted_at" => at };
    Ok(vec![Change::merge(&USER, row, told.version.clone())])
}

/// `data.session` is optional: the document shows none, and a login without one is a session of its own.
pub(super) fn login(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let user_id = told.data.object("user")?.text("id")?;
    let session = told.data.optional_object("session")?;
    let mut row = row! { "source" => told.source(), "user_id" => user_id, "started_at" => told.at };
    let mut id = None;
    if let Some(session) = &session {
        id = session.optional_text("id")?;
        for column in ["ip_address", "user_agent"] {
            row.insert(column.to_owned(), session.optional_text(column)?.into());
        }
    }
    row.insert("id".to_owned(), id.unwrap_or_else(|| format!("event:{}", told.event.id)).into());
    let seen = row! { "source" => told.source(), "id" => user_id, "last_login_at" => told.at };
    Ok(vec![Change::merge(&SESSION, row, told.version.clone()), Change::merge(&USER, seen, told.version.clone())])
}

/// Ends the session that it names; one that names none ends all of the user's sessions that began before it.
pub(super) fn logout(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let user_id = told.data.object("user")?.text("id")?;
    let session = told.data.optional_object("session")?;
    let id = session.map(|session| session.optional_text("id")).transpose()?.flatten();
    let (table, row): (&'static Table, Row) = match id {
        Some(id) => {
            (&SESSION, row! { "source" => told.source(), "id" => id, "user_id" => user_id, "ended_at" => told.at })
        }
        None => (&USER, row! { "source" => told.source(), "id" => user_id, "logged_out_at" => told.at }),
    };
    Ok(vec![Change::merge(table, row, told.version.clone())])
}
