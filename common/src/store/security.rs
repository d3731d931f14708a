//! Security events: refusals that look like an attack, for those who watch.
//!
//! Written by the log of deliveries; this room only reads. Bodies and credentials are not in them.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Store, StoreError};
use crate::event::EventId;

/// One refusal that looked like an attack.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SecurityEvent {
    /// The delivery's id.
    pub id: EventId,
    /// When it came.
    pub at: Timestamp,
    /// The source it was sent to.
    pub source: String,
    /// The refusal's name, e.g. `signature_wrong`, `key_conflict`.
    pub reason: String,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What else was noted.
    pub detail: Value,
}

/// How many of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SecurityCount {
    /// The source they were sent to.
    pub source: String,
    /// The refusal's name.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// From how many addresses.
    pub addresses: i64,
    /// When the last one came.
    pub last_at: Timestamp,
}

impl Store {
    /// Security events since a time, newest first.
    pub async fn security_events(&self, since: Timestamp, limit: i64) -> Result<Vec<SecurityEvent>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* security_events */ select id, at, source, reason, address, detail from security_event
                 where at >= $1 order by at desc, id desc limit $2",
                &[&since, &limit],
            )
            .await?;
        let event = |row: &tokio_postgres::Row| SecurityEvent {
            id: EventId::from_uuid(row.get(0)),
            at: row.get(1),
            source: row.get(2),
            reason: row.get(3),
            address: row.get(4),
            detail: row.get(5),
        };
        Ok(rows.iter().map(event).collect())
    }

    /// Security events since a time, counted by source and reason, most first.
    pub async fn security_counts(&self, since: Timestamp) -> Result<Vec<SecurityCount>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* security_counts */ select source, reason, count(*), count(distinct address), max(at)
                 from security_event where at >= $1 group by source, reason order by 3 desc, 1, 2",
            )
            .await?;
        let rows = client.query(&statement, &[&since]).await?;
        let count = |row: &tokio_postgres::Row| SecurityCount {
            source: row.get(0),
            reason: row.get(1),
            count: row.get(2),
            addresses: row.get(3),
            last_at: row.get(4),
        };
        Ok(rows.iter().map(count).collect())
    }
}
