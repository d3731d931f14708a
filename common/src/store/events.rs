//! Where events stand, for those who ask: operators with a filter, senders with an id.
//!
//! Only reads. A listing shows no body and no headers; [`Store::event_shown`] does, as they were stored, which is
//! without credentials.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use super::{
    AuditEntry, Store, StoreError,
    claim::{MESSAGE_COLUMNS, message},
    filter::{Bound, EventFilter, Page},
};
use crate::{event::EventId, message::Message, status::Status};

/// One event in a listing; also all that its sender is told about it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventLine {
    /// Its id.
    pub id: EventId,
    /// The source's configured name.
    pub source: String,
    /// Whose event within the source.
    pub tenant: String,
    /// The sender's event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// The attempt that is due or was the last.
    pub attempt: i32,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it is tried again at the latest, while it is open; null also means: at once.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was finished, or died.
    pub finished_at: Option<Timestamp>,
    /// What the last attempt that failed said, or why the event was ignored.
    pub last_error: Option<String>,
}

/// One attempt that was made.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AttemptLine {
    /// Its number.
    pub attempt: i32,
    /// When the handler was started.
    pub started_at: Timestamp,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// `succeeded`, `ignored`, `temporary`, `permanent` or `poison`.
    pub outcome: String,
    /// The failure's class.
    pub class: Option<String>,
    /// `{message, stack, timestamp}`.
    pub error: Option<Value>,
    /// Who ran it.
    pub worker: String,
    /// Version and revision of who ran it.
    pub build: String,
}

/// Everything about one event.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventShown {
    /// As in a listing.
    #[serde(flatten)]
    pub line: EventLine,
    /// What its source is made from.
    pub preset: String,
    /// The idempotency key, first 255 characters.
    pub key: Option<String>,
    /// When it happened, by the sender's word.
    pub occurred_at: Option<Timestamp>,
    /// W3C `traceparent`, where one came with it.
    pub traceparent: Option<String>,
    /// The body's type, as sent.
    pub content_type: Option<String>,
    /// The request's headers, without credentials.
    pub headers: Value,
    /// The body, where it is text.
    pub body: Option<String>,
    /// The body in base64, where it is not.
    pub body_base64: Option<String>,
    /// Every attempt, the first one first.
    pub attempts: Vec<AttemptLine>,
    /// What operators did to it, latest first.
    pub audit: Vec<AuditEntry>,
}

/// The columns of an [`EventLine`], from `e` and `s`.
const LINE: &str = "e.id, e.source, e.tenant, e.kind, e.subject, s.status, s.attempt, e.received_at,
    case when s.finished_at is null then nullif(s.due_at, '-infinity') end, s.finished_at,
    (select a.error->>'message' from attempt a where a.event_id = e.id and s.status <> 'succeeded'
        order by a.attempt desc limit 1)";

impl Store {
    /// Events that match, newest first.
    pub async fn events(&self, filter: &EventFilter, page: Page) -> Result<Vec<EventLine>, StoreError> {
        let bound = filter.bound().before(page.after);
        let limit = i64::from(page.limit);
        let values = bound.and(&[&filter.status, &filter.fingerprint, &limit]);
        let sql = format!(
            "/* events */ select {LINE} from event e join event_state s on s.id = e.id
             where {} and s.id >= $4 and s.id < $5 and ($6::event_status is null or s.status = $6)
             and ($7::text is null or exists (select from dead_letter d where d.event_id = e.id and d.fingerprint = $7))
             order by e.id desc limit $8",
            Bound::condition("e", "id")
        );
        Ok(self.client().await?.query(&sql, &values).await?.iter().map(line).collect())
    }

    /// One event as in a listing; `None` where there is none, or retention was faster.
    pub async fn event_line(&self, id: EventId) -> Result<Option<EventLine>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "/* event_line */ select {LINE} from event e join event_state s on s.id = e.id where e.id = $1 and s.id = $1"
            ))
            .await?;
        Ok(client.query_opt(&statement, &[&id.uuid()]).await?.as_ref().map(line))
    }

    /// Everything about one event; `None` where there is none, or retention was faster.
    pub async fn event_shown(&self, id: EventId) -> Result<Option<EventShown>, StoreError> {
        let row = {
            let sql = format!(
                "/* event_shown */ select {LINE}, e.preset, e.key, e.occurred_at, e.traceparent, e.content_type,
                     e.headers, e.body
                 from event e join event_state s on s.id = e.id where e.id = $1 and s.id = $1"
            );
            self.client().await?.query_opt(&sql, &[&id.uuid()]).await?
        };
        let Some(row) = row else { return Ok(None) };
        let (body, body_base64) = match String::from_utf8(row.get(17)) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(base64(bytes.as_bytes()))),
        };
        Ok(Some(EventShown {
            line: line(&row),
            preset: row.get(11),
            key: row.get(12),
            occurred_at: row.get(13),
            traceparent: row.get(14),
            content_type: row.get(15),
            headers: row.get(16),
            body,
            body_base64,
            attempts: self.attempts(id).await?,
            audit: self.audit_of(&id.to_string()).await?,
        }))
    }

    /// An event as its handler would get it now, whatever its status: for a rehearsal.
    pub async fn message_of(&self, id: EventId) -> Result<Option<Message>, StoreError> {
        let sql = format!(
            "/* message_of */ select {MESSAGE_COLUMNS} from event e join event_state s on s.id = e.id
             where e.id = $1 and s.id = $1"
        );
        self.client().await?.query_opt(&sql, &[&id.uuid()]).await?.as_ref().map(message).transpose()
    }

    async fn attempts(&self, id: EventId) -> Result<Vec<AttemptLine>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* attempts */ select attempt, started_at, micros, outcome, class, error, worker, build
                 from attempt where event_id = $1 order by attempt",
                &[&id.uuid()],
            )
            .await?;
        let attempt = |row: &Row| AttemptLine {
            attempt: row.get(0),
            started_at: row.get(1),
            seconds: std::time::Duration::from_micros(u64::try_from(row.get::<_, i64>(2)).unwrap_or(0)).as_secs_f64(),
            outcome: row.get(3),
            class: row.get(4),
            error: row.get(5),
            worker: row.get(6),
            build: row.get(7),
        };
        Ok(rows.iter().map(attempt).collect())
    }
}

fn line(row: &Row) -> EventLine {
    EventLine {
        id: EventId::from_uuid(row.get(0)),
        source: row.get(1),
        tenant: row.get(2),
        kind: row.get(3),
        subject: row.get(4),
        status: row.get(5),
        attempt: row.get(6),
        received_at: row.get(7),
        next_attempt_at: row.get(8),
        finished_at: row.get(9),
        last_error: row.get(10),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}
