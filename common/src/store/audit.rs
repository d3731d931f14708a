//! What operators did, and why: one row for each thing they touched.
//!
//! Written in the same transaction as the deed itself, so that neither exists without the other. Begins and commits none.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::event::EventId;

/// Who acts, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// The operator's name.
    pub actor: String,
    /// In the operator's words; may be empty for a replay.
    pub reason: String,
}

/// One entry.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What, e.g. `replay`.
    pub action: String,
    /// To what: an event's id, a campus …
    pub subject: String,
    /// Why.
    pub reason: String,
    /// What was known at the time.
    pub detail: Value,
}

/// Notes a deed within its transaction.
pub(super) async fn audit(
    tx: &deadpool_postgres::Transaction<'_>,
    now: Timestamp,
    actor: &str,
    action: &str,
    subject: &str,
    detail: Value,
) -> Result<(), StoreError> {
    tx.execute(
        "/* audit */ insert into audit (id, at, actor, action, subject, detail) values ($1, $2, $3, $4, $5, $6)",
        &[&EventId::new(now).uuid(), &now, &actor, &action, &subject, &Json(detail)],
    )
    .await?;
    Ok(())
}

impl Store {
    /// What was done to a subject, latest first, at most 100 entries.
    pub async fn audit_of(&self, subject: &str) -> Result<Vec<AuditEntry>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* audit_of */ select at, actor, action, subject, reason, detail from audit
                 where subject = $1 order by at desc limit 100",
                &[&subject],
            )
            .await?;
        let entry = |row: &tokio_postgres::Row| AuditEntry {
            at: row.get(0),
            actor: row.get(1),
            action: row.get(2),
            subject: row.get(3),
            reason: row.get(4),
            detail: row.get(5),
        };
        Ok(rows.iter().map(entry).collect())
    }

    /// As many fresh ids for audit entries.
    pub(super) fn audit_ids(&self, count: usize) -> Vec<Uuid> {
        let now = self.clock.now();
        (0..count).map(|_| EventId::new(now).uuid()).collect()
    }
}
