//! Small tables that operators keep: listed whole, imported whole or in part, audited in the same transaction.
//!
//! Knows no table; each brings its statements.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_postgres::types::Json;

use super::{Store, StoreError};
use crate::event::EventId;

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Imported {
    /// Rows added or set.
    pub set: u64,
    /// Rows removed because the import was to replace everything.
    pub removed: u64,
}

/// One table's statements.
pub(super) struct Statements {
    /// Every row as one jsonb.
    pub(super) list: &'static str,
    /// Adds or sets the rows of `$1`.
    pub(super) set: &'static str,
    /// Removes what is not among the rows of `$1`.
    pub(super) remove: &'static str,
    /// What the audit calls an import.
    pub(super) action: &'static str,
    /// Of what, in the audit.
    pub(super) subject: &'static str,
}

impl Store {
    pub(super) async fn catalogue<T: DeserializeOwned>(&self, statements: &Statements) -> Result<Vec<T>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(statements.list).await?;
        let rows = client.query(&statement, &[]).await?;
        let read = |row: &tokio_postgres::Row| serde_json::from_value(row.get(0));
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| StoreError::Row(error.to_string()))
    }

    pub(super) async fn import(
        &self,
        statements: &Statements,
        rows: Value,
        replace: bool,
        actor: &str,
    ) -> Result<Imported, StoreError> {
        let now = self.clock().now();
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let removed = if replace { tx.execute(statements.remove, &[&Json(&rows)]).await? } else { 0 };
        let set = tx.execute(statements.set, &[&Json(&rows)]).await?;
        let detail = json!({ "set": set, "removed": removed });
        tx.execute(
            "/* import_audit */ insert into audit (id, at, actor, action, subject, detail)
             values ($1, $2, $3, $4, $5, $6)",
            &[&EventId::new(now).uuid(), &now, &actor, &statements.action, &statements.subject, &Json(detail)],
        )
        .await?;
        tx.commit().await?;
        Ok(Imported { set, removed })
    }
}
