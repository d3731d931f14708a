//! Access tokens: their state, by the newest event, and every step on the way as history.
//!
//! The document's example names a token by its user and type only; where the platform also sends an `id`, tokens of
//! one type are kept apart by it. The token itself is never sent, and would not be stored.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// Tokens as they stand.
pub(super) static TOKEN: Table = Table {
    name: "platform_token",
    key: &["source", "user_id", "token_type", "token_id"],
    columns: &["state", "expires_at", "scopes", "issued_at", "refreshed_at", "revoked_at", "expired_at", "reason"],
};

/// What happened to them.
pub(super) static HISTORY: Table = Table {
    name: "platform_token_history",
    key: &["event_id"],
    columns: &["source", "user_id", "token_type", "token_id", "change", "at", "expires_at", "scopes", "reason"],
};

/// What can happen to a token.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Created,
    Refreshed,
    Revoked,
    Expired,
}

impl Step {
    /// The history's word, the state that follows, and the column of its time.
    const fn effect(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Created => ("created", "active", "issued_at"),
            Self::Refreshed => ("refreshed", "active", "refreshed_at"),
            Self::Revoked => ("revoked", "revoked", "revoked_at"),
            Self::Expired => ("expired", "expired", "expired_at"),
        }
    }
}

pub(super) fn changed(told: &Told<'_>, step: Step) -> Result<Vec<Change>, Failure> {
    let token = told.data.object("token")?;
    let (change, state, time) = step.effect();
    let key = row! {
        "source" => told.source(),
        "user_id" => token.text("user_id")?,
        "token_type" => token.text("token_type")?,
        "token_id" => token.optional_text("id")?.unwrap_or_default(),
    };
    let expires_at = match step {
        // A token that is issued anew says until when.
        Step::Created | Step::Refreshed => Some(token.time("expires_at")?),
        Step::Revoked | Step::Expired => token.optional_time("expires_at")?,
    };
    let (scopes, reason) = (token.optional_texts("scopes")?, token.optional_text("reason")?);

    let mut history = key.clone();
    history.extend(row! {
        "event_id" => told.event.id, "change" => change, "at" => told.at,
        "expires_at" => expires_at, "scopes" => scopes, "reason" => reason,
    });
    let mut current = key;
    current.extend(row! { "state" => state });
    current.insert(time.to_owned(), told.at.to_string().into());
    if let Some(expires_at) = expires_at {
        current.extend(row! { "expires_at" => expires_at });
    }
    if let Some(scopes) = scopes {
        current.extend(row! { "scopes" => scopes });
    }
    if matches!(step, Step::Revoked) {
        current.extend(row! { "reason" => reason });
    }
    Ok(vec![Change::merge(&TOKEN, current, told.version.clone()), Change::append(&HISTORY, history)])
}
