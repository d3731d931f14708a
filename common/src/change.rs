//! What a handler wants done, as data.
//!
//! Handlers return changes and never make them, so that they can be tested without a database, rehearsed without
//! effect, and written for many events in one transaction by `crate::store`. Nothing here knows SQL.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::event::{Event, EventId};

/// Column name to value, as JSON: what `jsonb_populate_recordset` reads.
pub type Row = Map<String, Value>;

/// A table that handlers may change. Declared beside the handlers that use it; a test compares it with the schema.
#[derive(PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of its primary key, all of them set in every row.
    pub key: &'static [&'static str],
    /// All other columns that handlers set. A merged table also has `versions jsonb not null default '{}'`, which the
    /// applier keeps. A change need not set them all: a new row takes the schema's default for the others, so a
    /// `not null` column without a default must be set by every merge that may create the row, or be nullable. `null`
    /// as a value is a value.
    pub columns: &'static [&'static str],
}

/// The age of a value: the newer one wins, whatever the order of arrival. Compared as text, byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(String);

impl Version {
    /// What an event says, as of when it says it happened; the event's id breaks a tie.
    pub fn of(event: &Event) -> Self {
        Self::at(event.effective_at(), event.id)
    }

    /// As of another time, e.g. when a member was fetched.
    pub fn at(at: Timestamp, id: EventId) -> Self {
        Self(format!("{at:.6}|{id}"))
    }

    /// As of a time, with the sender's own tie-break: for senders whose clock is coarser than their events, so that a
    /// tie is decided by what they say and not by who arrived first.
    pub fn told(at: Timestamp, tie: &str) -> Self {
        Self(format!("{at:.6}|{tie}"))
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One change to one row.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Sets columns, each only where `version` is newer than what last set that column; creates the row where it is
    /// missing. Two merges commute, so the order of arrival does not matter.
    Merge {
        /// The table.
        table: &'static Table,
        /// Key columns and the columns to set.
        row: Row,
        /// Columns that are set only when this change creates the row (an initial state that others own afterwards).
        /// They get no version: whatever sets such a column later wins.
        initial: Row,
        /// How new it is.
        version: Version,
        /// Leave it be where the row does not exist. The only merge for which the order of arrival matters; within
        /// one batch it comes after those that create.
        only_existing: bool,
    },
    /// Adds a row of history. A row with this key that exists already is left as it is.
    Append {
        /// The table.
        table: &'static Table,
        /// The whole row.
        row: Row,
    },
}

impl Change {
    /// A merge that creates the row where it is missing.
    pub fn merge(table: &'static Table, row: Row, version: Version) -> Self {
        Self::Merge { table, row, initial: Row::new(), version, only_existing: false }
    }

    /// A new row of history.
    pub fn append(table: &'static Table, row: Row) -> Self {
        Self::Append { table, row }
    }

    /// The table it touches.
    pub fn table(&self) -> &'static Table {
        match self {
            Self::Merge { table, .. } | Self::Append { table, .. } => table,
        }
    }
}

/// Builds a [`Row`] from `column => value` pairs, in the order of writing.
#[macro_export]
macro_rules! row {
    ($($column:literal => $value:expr),* $(,)?) => {{
        let mut row = $crate::change::Row::new();
        $( row.insert($column.to_owned(), ::serde_json::json!($value)); )*
        row
    }};
}
