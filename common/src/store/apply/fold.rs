//! Folds the merges of one batch that touch the same row into one, because one statement may touch a row only once.
//!
//! Pure, and the same rule as the statement's: per column the greatest version wins, and of equal ones the later
//! change; `initial` counts only for the merge that comes first, which is the one that may create the row.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::change::{Row, Table, Version};

/// Merges into one table, by key.
#[derive(Debug, Default)]
pub(super) struct Folded<'a>(BTreeMap<Vec<String>, FoldedRow<'a>>);

#[derive(Debug, Default)]
struct FoldedRow<'a> {
    keys: Vec<&'a Value>,
    initial: Option<&'a Row>,
    set: HashMap<&'a str, (&'a Version, &'a Value)>,
}

impl<'a> Folded<'a> {
    /// Takes one more merge, in the order of arrival.
    pub(super) fn add(&mut self, table: &Table, row: &'a Row, initial: &'a Row, version: &'a Version) {
        let folded = self.0.entry(key_of(table, row)).or_insert_with(|| FoldedRow {
            keys: table.key.iter().map(|column| row.get(*column).unwrap_or(&Value::Null)).collect(),
            initial: Some(initial),
            set: HashMap::new(),
        });
        for (column, value) in row.iter().filter(|(column, _)| !table.key.contains(&column.as_str())) {
            let newer = folded.set.get(column.as_str()).is_none_or(|(stored, _)| *stored <= version);
            if newer {
                folded.set.insert(column, (version, value));
            }
        }
    }

    /// The rows as the statement reads them, sorted by key, each with the `versions` of what it sets.
    pub(super) fn rows(self, table: &Table) -> Vec<Row> {
        self.0.into_values().map(|folded| folded.row(table)).collect()
    }
}

impl FoldedRow<'_> {
    fn row(self, table: &Table) -> Row {
        let mut row = self.initial.cloned().unwrap_or_default();
        let mut versions = Row::new();
        for (column, (version, value)) in self.set {
            row.insert(column.to_owned(), value.clone());
            versions.insert(column.to_owned(), Value::from(version.as_str()));
        }
        for (column, value) in table.key.iter().zip(self.keys) {
            row.insert((*column).to_owned(), value.clone());
        }
        row.insert("versions".to_owned(), Value::Object(versions));
        row
    }
}

/// A row's key as text, the same for `7` and `"7"`, which PostgreSQL reads as the same integer.
pub(super) fn key_of(table: &Table, row: &Row) -> Vec<String> {
    let text = |column: &&str| match row.get(*column) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    table.key.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{event::EventId, row};

    static TABLE: Table = Table { name: "t", key: &["id"], columns: &["a", "b"] };

    fn version(second: i64) -> Version {
        Version::at(Timestamp::from_second(second).unwrap(), EventId::from_uuid(uuid::Uuid::nil()))
    }

    #[test]
    fn the_newest_value_of_each_column_wins_and_initial_counts_only_for_the_creator() {
        let (older, newer) = (version(1), version(2));
        let rows = [row! {"id" => 7, "a" => "new"}, row! {"id" => "7", "a" => "old", "b" => "old"}];
        let (first, second) = (row! {"b" => "first"}, row! {"b" => "second"});
        let mut folded = Folded::default();
        folded.add(&TABLE, &rows[0], &first, &newer);
        folded.add(&TABLE, &rows[1], &second, &older);
        let row = folded.rows(&TABLE).pop().unwrap();
        assert_eq!(row.get("a"), Some(&Value::from("new")));
        assert_eq!(row.get("b"), Some(&Value::from("old")));
        assert_eq!(row["versions"]["a"], newer.as_str());
        assert_eq!(row["versions"]["b"], older.as_str());

        let mut folded = Folded::default();
        let bare = row! {"id" => 1};
        folded.add(&TABLE, &bare, &first, &newer);
        folded.add(&TABLE, &bare, &second, &older);
        let row = folded.rows(&TABLE).pop().unwrap();
        assert_eq!(row["b"], "first");
        assert_eq!(row["versions"], Value::Object(Row::new()));
    }

    #[test]
    fn rows_come_sorted_by_key() {
        let at = version(1);
        let (rows, none) = (["b", "a", "c"].map(|id| row! {"id" => id}), Row::new());
        let mut folded = Folded::default();
        rows.iter().for_each(|row| folded.add(&TABLE, row, &none, &at));
        let ids: Vec<_> = folded.rows(&TABLE).into_iter().map(|row| row["id"].clone()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}
