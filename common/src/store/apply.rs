//! Writes what handlers want done: the changes of many events in one transaction, one statement per table and kind.
//!
//! Order is fixed (kinds, then tables by name, then rows by key), so that two transactions never wait for each other
//! in a circle. Nothing here decides what is to be changed, and nothing here commits unless it began the transaction.
//! Handlers' tables have no foreign keys among each other (or deferred ones), because events arrive in any order.

mod fold;
mod statement;

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use tokio_postgres::types::Json;

use self::{fold::Folded, statement::Kind};
use super::{Store, StoreError};
use crate::change::{Change, Row, Table};

impl Store {
    /// Writes changes that belong to no event (a reconciliation's), all or none.
    ///
    /// # Errors
    /// [`StoreError::is_data`] where a change itself is refused; else the database's trouble.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        apply(&transaction, &changes.iter().collect::<Vec<_>>()).await?;
        Ok(transaction.commit().await?)
    }
}

/// Writes the changes of many events within the caller's transaction.
///
/// Merges that may create come first, then merges into existing rows, then history: so within one batch an
/// `only_existing` merge finds a row that the same batch creates.
///
/// # Errors
/// [`StoreError::is_data`] where one of the changes is refused: the transaction is spoilt, and the caller splits the
/// batch. Else the database's trouble.
pub(crate) async fn apply(transaction: &Transaction<'_>, changes: &[&Change]) -> Result<(), StoreError> {
    for ((kind, _), work) in gather(changes)? {
        let text = statement::text(transaction, kind, work.table).await?;
        let statement = transaction.prepare_cached(&text).await?;
        transaction.execute(&statement, &[&Json(work.rows)]).await?;
    }
    Ok(())
}

/// One statement's rows.
struct Work {
    table: &'static Table,
    rows: Vec<Row>,
}

/// Sorts changes into statements, in the order in which all transactions run them.
fn gather(changes: &[&Change]) -> Result<BTreeMap<(Kind, &'static str), Work>, StoreError> {
    let mut merges: BTreeMap<(Kind, &'static str), (&'static Table, Folded<'_>)> = BTreeMap::new();
    let mut statements = BTreeMap::new();
    for change in changes {
        match change {
            Change::Merge { table, row, initial, version, only_existing } => {
                let kind = if *only_existing { Kind::Update } else { Kind::Upsert };
                declared(table, row)?;
                declared(table, initial)?;
                let (_, folded) = merges.entry((kind, table.name)).or_insert_with(|| (*table, Folded::default()));
                folded.add(table, row, initial, version);
            }
            Change::Append { table, row } => {
                declared(table, row)?;
                let fresh = || Work { table, rows: Vec::new() };
                statements.entry((Kind::Append, table.name)).or_insert_with(fresh).rows.push(row.clone());
            }
        }
    }
    for work in statements.values_mut() {
        let table = work.table;
        work.rows.sort_by_cached_key(|row| fold::key_of(table, row));
    }
    let folded = merges.into_iter().map(|(place, (table, folded))| (place, Work { table, rows: folded.rows(table) }));
    statements.extend(folded);
    Ok(statements)
}

/// Refuses a column that the table does not declare: PostgreSQL would pass over it in silence.
fn declared(table: &'static Table, row: &Row) -> Result<(), StoreError> {
    let known = |name: &&String| !table.key.iter().chain(table.columns).any(|column| column == name);
    match row.keys().find(known) {
        Some(column) => Err(StoreError::refused_data(&format!(
            "a change sets `{}.{column}`, which its table does not declare",
            table.name
        ))),
        None => Ok(()),
    }
}
