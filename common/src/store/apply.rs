//! Writes what handlers want done: the changes of many events in one transaction, one statement per table and kind.
//!
//! Order is fixed (tables by name, then rows by key, all merges of a table in one pass), so that two transactions never
//! wait for each other in a circle. Nothing here decides what is to be changed, and nothing here commits unless it began the transaction.
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
/// Within one batch an `only_existing` merge finds a row that the same batch creates, whichever comes first.
///
/// # Errors
/// [`StoreError::is_data`] where one of the changes is refused: the transaction is spoilt, and the caller splits the
/// batch. Else the database's trouble.
pub(crate) async fn apply(transaction: &Transaction<'_>, changes: &[&Change]) -> Result<(), StoreError> {
    for work in gather(changes)?.into_values() {
        if !work.merges.is_empty() {
            let (rows, existing) = work.merges.rows(work.table);
            let kind = if existing.contains(&true) { Kind::MergeExisting } else { Kind::Merge };
            let statement = transaction.prepare_cached(&statement::text(transaction, kind, work.table).await?).await?;
            match kind {
                Kind::MergeExisting => transaction.execute(&statement, &[&Json(rows), &existing]).await?,
                Kind::Merge | Kind::Append => transaction.execute(&statement, &[&Json(rows)]).await?,
            };
        }
        if !work.history.is_empty() {
            let text = statement::text(transaction, Kind::Append, work.table).await?;
            let statement = transaction.prepare_cached(&text).await?;
            transaction.execute(&statement, &[&Json(work.history)]).await?;
        }
    }
    Ok(())
}

/// What is to be written to one table.
struct Work<'a> {
    table: &'static Table,
    merges: Folded<'a>,
    history: Vec<&'a Row>,
}

/// Sorts changes by table, in the order in which all transactions visit them, and rows by key.
fn gather<'a>(changes: &[&'a Change]) -> Result<BTreeMap<&'static str, Work<'a>>, StoreError> {
    let mut tables: BTreeMap<&'static str, Work<'a>> = BTreeMap::new();
    for change in changes {
        let table = change.table();
        let fresh = || Work { table, merges: Folded::default(), history: Vec::new() };
        let work = tables.entry(table.name).or_insert_with(fresh);
        match change {
            Change::Merge { row, initial, version, only_existing, .. } => {
                declared(table, row)?;
                declared(table, initial)?;
                work.merges.add(table, row, (!only_existing).then_some(initial), version);
            }
            Change::Append { row, .. } => {
                declared(table, row)?;
                work.history.push(row);
            }
        }
    }
    for work in tables.values_mut() {
        let table = work.table;
        work.history.sort_by_cached_key(|row| fold::key_of(table, row));
    }
    Ok(tables)
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
