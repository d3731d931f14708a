//! FaithTracker's members, kept as FaithFlow Enterprise has them (document B).
//!
//! An event only says that a member changed; what the member is now is asked of the core system, so that lost, repeated
//! and reordered events do no harm. Looks the campus and the member up, decides in `decide`, writes nothing.

mod campus_filter;
mod decide;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lychgate_common::{
    campus::{Campus, CampusError, Directory},
    change::Version,
    event::Event,
    store::{Store, StoreError},
};
use serde_json::Value;

pub(crate) use self::decide::{archive, create, filtered, restore, upsert, was_deleted_in_core};
pub use self::{
    campus_filter::{CampusFilter, FilterError, Operator},
    tables::TABLES,
};
use crate::{
    core_api::{CoreApi, CoreError},
    handler::{Cause, Failure, Handled, Handler},
    handlers::fields::{self, Fields},
};

/// What happened to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Happened {
    Created,
    Updated,
    Deleted,
}

/// As of when, and by whose word, a change is made.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// When the core system was asked, or the event happened.
    pub(crate) at: Timestamp,
    /// Orders it among the others.
    pub(crate) version: Version,
}

/// The handler of the preset `faithflow`.
#[derive(Debug)]
pub struct FaithFlow {
    directory: Arc<Directory>,
    store: Store,
    core: CoreApi,
}

impl FaithFlow {
    /// A handler that finds campuses in `directory`, looks members up in `store` and asks `core` about them.
    pub fn new(directory: Arc<Directory>, store: Store, core: CoreApi) -> Self {
        Self { directory, store, core }
    }

    async fn changes(&self, event: &Event) -> Result<Handled, Failure> {
        let happened = match event.kind.as_ref() {
            "member.created" => Happened::Created,
            "member.updated" => Happened::Updated,
            "member.deleted" => Happened::Deleted,
            other => return Err(Failure::permanent("unknown_event_type", format!("unknown event type {other}"))),
        };
        let member_id = member_id(event)?;
        let campus = self.campus(event).await?;
        if happened == Happened::Deleted {
            return self.deleted(event, &campus, &member_id).await;
        }
        // Taken before the question: the answer is at least as new.
        let at = self.store.clock().now();
        let stamp = Stamp { at, version: Version::at(at, event.id) };
        let member = self.core.member(&campus, &member_id, at).await.map_err(of_core)?;
        let known = self.store.known_member(campus.id, &member_id).await.map_err(ours)?;
        decide::changed(happened, &campus, &member, known.as_ref(), &stamp)
    }

    /// A deletion is taken at its sender's word, unless the core system has had the member since then by our clock: it may
    /// have come late, or its sender's clock be behind ours. Then the core system is asked which.
    async fn deleted(&self, event: &Event, campus: &Campus, member_id: &str) -> Result<Handled, Failure> {
        let known = self.store.known_member(campus.id, member_id).await.map_err(ours)?;
        // A sender's clock that runs ahead must not outlive what comes after it.
        let told = event.effective_at().min(event.received_at);
        let there_since = known.as_ref().filter(|known| !known.is_archived).and_then(|known| known.synced_at);
        let at = match there_since {
            Some(since) if told <= since => {
                let now = self.store.clock().now();
                match self.core.member(campus, member_id, now).await {
                    Ok(member) if member.active => return Ok(decide::still_there(&member)),
                    Ok(_) | Err(CoreError::NotFound) => now,
                    Err(error) => return Err(of_core(error)),
                }
            }
            Some(_) | None => told,
        };
        let stamp = Stamp { at, version: Version::at(at, event.id) };
        Ok(decide::deleted(campus, member_id, known.as_ref(), &stamp))
    }

    async fn campus(&self, event: &Event) -> Result<Arc<Campus>, Failure> {
        let found = self.directory.find(&event.tenant).await.map_err(|error| match error {
            CampusError::Store(error) => ours(error),
            error @ (CampusError::Vault(_) | CampusError::Unknown(_) | CampusError::Exists(_)) => {
                Failure::Ours(Cause::from("campus_unreadable", "the campus's settings cannot be read", error))
            }
        })?;
        let campus = found
            .ok_or_else(|| Failure::permanent("campus_unknown", "the event's campus is not configured any more"))?;
        if !campus.enabled {
            return Err(Failure::permanent("sync_disabled", "sync was disabled for this campus after the event came"));
        }
        Ok(campus)
    }
}

impl Handler for FaithFlow {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.changes(event))
    }
}

/// What the event is about; the gateway has seen to it that a member event says so.
fn member_id(event: &Event) -> Result<String, Failure> {
    match &event.subject {
        Some(subject) => Ok(subject.to_string()),
        None => {
            let payload: Value = fields::parse(&event.body)?;
            Fields::root(&payload)?.text("member_id")
        }
    }
}

fn ours(error: StoreError) -> Failure {
    Failure::Ours(Cause::from("store", "the database cannot be asked", error))
}

/// What a failed question means for the event that asked it.
fn of_core(error: CoreError) -> Failure {
    let (class, temporary, retry_after) = (error.class(), error.is_temporary(), error.retry_after());
    let cause = match error {
        CoreError::NotFound => Cause::new(class, "Member not found"),
        error => Cause::from(class, "the member cannot be fetched from the core system", error),
    };
    if temporary { Failure::Temporary { cause, retry_after } } else { Failure::Permanent(cause) }
}
