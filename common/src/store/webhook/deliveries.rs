//! The deliveries of a webhook, with every attempt: read from the ledger, where each is an event.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    event::EventId,
    status::Status,
    store::{Store, StoreError},
};

/// One delivery.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeliveryLine {
    /// Its id: `X-Platform-Delivery` and `webhook-id`.
    pub id: EventId,
    /// Whose.
    pub webhook_id: String,
    /// The event that it tells of; `None` for a test.
    pub event_id: Option<EventId>,
    /// The event's type.
    pub event: String,
    /// Where it stands, in the ledger's words: *dead* is document D's "failed".
    pub status: Status,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried again at the latest, while it is under way; null also means: at once.
    pub next_attempt_at: Option<Timestamp>,
    /// When it arrived, failed or was ignored.
    pub finished_at: Option<Timestamp>,
    /// Every attempt, the first one first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One attempt at a delivery.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeliveryAttempt {
    /// Its number.
    pub attempt: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// `succeeded`, `ignored`, `temporary`, `permanent` or `poison`.
    pub outcome: String,
    /// The status that the endpoint answered, where it arrived.
    pub response_status: Option<i32>,
    /// The failure's class.
    pub class: Option<String>,
    /// `{message, stack, timestamp}`; the stack says what the endpoint answered.
    pub error: Option<Value>,
}

const COLUMNS: &str = "d.event_id, d.webhook_id, e.subject, e.kind, s.status, e.received_at,
    case when s.finished_at is null then nullif(s.due_at, '-infinity') end, s.finished_at";

const FROM: &str = "webhook_delivery d join event e on e.id = d.event_id join event_state s on s.id = d.event_id";

impl Store {
    /// Deliveries of a webhook, the newest first, older than `before` where that is given.
    ///
    /// # Errors
    /// The store's.
    pub async fn deliveries(
        &self,
        webhook: &str,
        limit: u32,
        before: Option<EventId>,
    ) -> Result<Vec<DeliveryLine>, StoreError> {
        let sql = format!(
            "/* deliveries */ select {COLUMNS} from {FROM}
             where d.webhook_id = $1 and d.event_id < $2 order by d.event_id desc limit $3"
        );
        let before = before.map_or(Uuid::max(), EventId::uuid);
        let client = self.client().await?;
        let rows = client.query(&sql, &[&webhook, &before, &i64::from(limit)]).await?;
        with_attempts(&client, rows.iter().map(line).collect()).await
    }

    /// One delivery; `None` where the webhook has none of this id, or retention was faster.
    ///
    /// # Errors
    /// The store's.
    pub async fn delivery(&self, webhook: &str, id: EventId) -> Result<Option<DeliveryLine>, StoreError> {
        let sql = format!("/* delivery */ select {COLUMNS} from {FROM} where d.webhook_id = $1 and d.event_id = $2");
        let client = self.client().await?;
        let row = client.query_opt(&sql, &[&webhook, &id.uuid()]).await?;
        Ok(with_attempts(&client, row.iter().map(line).collect()).await?.pop())
    }
}

async fn with_attempts(
    client: &deadpool_postgres::Object,
    mut lines: Vec<DeliveryLine>,
) -> Result<Vec<DeliveryLine>, StoreError> {
    let ids: Vec<Uuid> = lines.iter().map(|line| line.id.uuid()).collect();
    let (Some(low), Some(high)) = (ids.iter().min(), ids.iter().max()) else { return Ok(lines) };
    let rows = client
        .query(
            "/* delivery_attempts */
             select event_id, attempt, started_at, micros, outcome, (reply->>'status')::int, class, error from attempt
             where event_id = any($1) and event_id between $2 and $3 order by event_id, attempt",
            &[&ids, low, high],
        )
        .await?;
    let mut attempts: HashMap<Uuid, Vec<DeliveryAttempt>> = HashMap::new();
    for row in &rows {
        attempts.entry(row.get(0)).or_default().push(attempt(row));
    }
    for line in &mut lines {
        line.attempts = attempts.remove(&line.id.uuid()).unwrap_or_default();
    }
    Ok(lines)
}

fn line(row: &Row) -> DeliveryLine {
    DeliveryLine {
        id: EventId::from_uuid(row.get(0)),
        webhook_id: row.get(1),
        event_id: row.get::<_, Option<&str>>(2).and_then(|subject| subject.parse().ok()),
        event: row.get(3),
        status: row.get(4),
        created_at: row.get(5),
        next_attempt_at: row.get(6),
        finished_at: row.get(7),
        attempts: Vec::new(),
    }
}

fn attempt(row: &Row) -> DeliveryAttempt {
    DeliveryAttempt {
        attempt: row.get(1),
        started_at: row.get(2),
        seconds: row.get::<_, i64>(3) as f64 / 1e6,
        outcome: row.get(4),
        response_status: row.get(5),
        class: row.get(6),
        error: row.get(7),
    }
}
