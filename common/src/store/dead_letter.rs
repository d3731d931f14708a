//! Dead letters as an operator sees them: listed, grouped by cause, shown in full.
//!
//! Only reads; [`super::replay`] moves them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use super::{
    EventShown, Store, StoreError,
    filter::{Bound, EventFilter, Page},
};
use crate::event::EventId;

/// One dead letter.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeadLetter {
    /// The event's id.
    pub id: EventId,
    /// The source's configured name.
    pub source: String,
    /// Whose event within the source.
    pub tenant: String,
    /// The sender's event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its group: failures of one cause have the same.
    pub fingerprint: String,
    /// The failure's class.
    pub class: String,
    /// What the last attempt said.
    pub message: String,
    /// Attempts made.
    pub attempts: i32,
    /// When it died.
    pub died_at: Timestamp,
    /// Who ran the last attempt.
    pub worker: String,
    /// Version and revision of who ran it.
    pub build: String,
}

/// Dead letters of one cause.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeadLetterGroup {
    /// What they have in common.
    pub fingerprint: String,
    /// The source's configured name.
    pub source: String,
    /// The sender's event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The failure's class.
    pub class: String,
    /// What the latest one said.
    pub message: String,
    /// How many.
    pub count: i64,
    /// When the first one died.
    pub first_seen: Timestamp,
    /// When the latest one died.
    pub last_seen: Timestamp,
    /// The build that ran the latest one.
    pub build: String,
    /// The latest one's id, to look at.
    pub latest: EventId,
}

/// A dead letter with everything about its event.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeadLetterShown {
    /// As in a listing.
    pub dead_letter: DeadLetter,
    /// `{message, stack, timestamp}`: the chain of causes, outermost first.
    pub error: Value,
    /// The event, its headers, body and attempts.
    pub event: EventShown,
}

const COLUMNS: &str =
    "d.event_id, d.source, d.tenant, d.kind, d.fingerprint, d.class, d.message, d.attempts, d.died_at,
    d.worker, d.build";

fn condition() -> String {
    format!("{} and ($6::text is null or d.fingerprint = $6)", Bound::condition("d", "event_id"))
}

impl Store {
    /// Dead letters that match, the latest received first.
    pub async fn dead_letters(&self, filter: &EventFilter, page: Page) -> Result<Vec<DeadLetter>, StoreError> {
        let bound = filter.bound().before(page.after);
        let limit = i64::from(page.limit);
        let values = bound.and(&[&filter.fingerprint, &limit]);
        let sql = format!(
            "/* dead_letters */ select {COLUMNS} from dead_letter d where {} order by d.event_id desc limit $7",
            condition()
        );
        Ok(self.client().await?.query(&sql, &values).await?.iter().map(letter).collect())
    }

    /// How many dead letters match.
    pub async fn dead_letter_count(&self, filter: &EventFilter) -> Result<i64, StoreError> {
        let bound = filter.bound();
        let sql = format!("/* dead_letter_count */ select count(*) from dead_letter d where {}", condition());
        Ok(self.client().await?.query_one(&sql, &bound.and(&[&filter.fingerprint])).await?.get(0))
    }

    /// Dead letters that match, by cause, the most frequent first, at most 1,000 groups.
    pub async fn dead_letter_groups(&self, filter: &EventFilter) -> Result<Vec<DeadLetterGroup>, StoreError> {
        let bound = filter.bound();
        let values = bound.and(&[&filter.fingerprint]);
        let sql = format!(
            "/* dead_letter_groups */
             with matching as (
                 select d.*, count(*) over g as count, min(died_at) over g as first_seen,
                     row_number() over (g order by died_at desc, event_id desc) as nth
                 from dead_letter d where {} window g as (partition by fingerprint))
             select fingerprint, source, kind, class, message, count, first_seen, died_at, build, event_id
             from matching where nth = 1 order by count desc, died_at desc limit 1000",
            condition()
        );
        let rows = self.client().await?.query(&sql, &values).await?;
        Ok(rows.iter().map(group).collect())
    }

    /// The ids of dead letters that match, oldest first: the order in which they are replayed.
    pub async fn dead_letter_ids(&self, filter: &EventFilter, page: Page) -> Result<Vec<EventId>, StoreError> {
        let bound = filter.bound().after(page.after);
        let limit = i64::from(page.limit);
        let values = bound.and(&[&filter.fingerprint, &limit]);
        let sql = format!(
            "/* dead_letter_ids */ select d.event_id from dead_letter d where {} order by d.event_id limit $7",
            condition()
        );
        let rows = self.client().await?.query(&sql, &values).await?;
        Ok(rows.iter().map(|row| EventId::from_uuid(row.get(0))).collect())
    }

    /// One dead letter in full; `None` where the event is not dead.
    pub async fn dead_letter(&self, id: EventId) -> Result<Option<DeadLetterShown>, StoreError> {
        let row = {
            let sql = format!("/* dead_letter */ select {COLUMNS}, d.error from dead_letter d where d.event_id = $1");
            self.client().await?.query_opt(&sql, &[&id.uuid()]).await?
        };
        let Some(row) = row else { return Ok(None) };
        let Some(event) = self.event_shown(id).await? else { return Ok(None) };
        Ok(Some(DeadLetterShown { dead_letter: letter(&row), error: row.get(11), event }))
    }
}

fn letter(row: &Row) -> DeadLetter {
    DeadLetter {
        id: EventId::from_uuid(row.get(0)),
        source: row.get(1),
        tenant: row.get(2),
        kind: row.get(3),
        fingerprint: row.get(4),
        class: row.get(5),
        message: row.get(6),
        attempts: row.get(7),
        died_at: row.get(8),
        worker: row.get(9),
        build: row.get(10),
    }
}

fn group(row: &Row) -> DeadLetterGroup {
    DeadLetterGroup {
        fingerprint: row.get(0),
        source: row.get(1),
        kind: row.get(2),
        class: row.get(3),
        message: row.get(4),
        count: row.get(5),
        first_seen: row.get(6),
        last_seen: row.get(7),
        build: row.get(8),
        latest: EventId::from_uuid(row.get(9)),
    }
}
