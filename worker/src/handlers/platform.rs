//! Platform Core (document D): users, sessions, tokens, rate limits, API errors, maintenance.
//!
//! Reads nothing but the event, so every failure is permanent. One file per subject of events; what an event type does
//! is one line below. Events arrive in any order: state is merged by the event's time, history is keyed by its id.

mod token;
mod traffic;
mod user;

#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Table, Version},
    event::Event,
};

use super::fields::{self, Fields};
use crate::handler::{Failure, Handled, Handler};

/// Every table that this handler changes.
pub static TABLES: [&Table; 7] = [
    &user::USER,
    &user::SESSION,
    &token::TOKEN,
    &token::HISTORY,
    &traffic::VIOLATION,
    &traffic::API_ERROR,
    &traffic::MAINTENANCE,
];

/// The event types that document D lists.
pub const KINDS: [&str; 12] = [
    "user.created",
    "user.updated",
    "user.deleted",
    "user.login",
    "user.logout",
    "token.created",
    "token.refreshed",
    "token.revoked",
    "token.expired",
    "api.rate_limit_exceeded",
    "api.error",
    "system.maintenance",
];

/// The handler of the preset `platform`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Platform;

impl Handler for Platform {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(std::future::ready(changes(event)))
    }
}

/// An event as this folder's files see it.
struct Told<'a> {
    event: &'a Event,
    data: Fields<'a>,
    at: Timestamp,
    version: Version,
}

impl Told<'_> {
    /// The configured source's name, which keeps two platforms apart.
    fn source(&self) -> &str {
        &self.event.source
    }
}

fn changes(event: &Event) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    let data = || Fields::root(&payload)?.object("data");
    let told = || Ok(Told { event, data: data()?, at: event.effective_at(), version: Version::of(event) });
    let changes: Vec<Change> = match event.kind.as_ref() {
        "user.created" => user::created(&told()?)?,
        "user.updated" => user::updated(&told()?)?,
        "user.deleted" => user::deleted(&told()?)?,
        "user.login" => user::login(&told()?)?,
        "user.logout" => user::logout(&told()?)?,
        "token.created" => token::changed(&told()?, token::Step::Created)?,
        "token.refreshed" => token::changed(&told()?, token::Step::Refreshed)?,
        "token.revoked" => token::changed(&told()?, token::Step::Revoked)?,
        "token.expired" => token::changed(&told()?, token::Step::Expired)?,
        "api.rate_limit_exceeded" => traffic::rate_limit_exceeded(&told()?)?,
        "api.error" => traffic::api_error(&told()?)?,
        "system.maintenance" => traffic::maintenance(&told()?)?,
        other => return Ok(Handled::ignored(format!("no use for the event type {other}"))),
    };
    Ok(Handled::changes(changes))
}
