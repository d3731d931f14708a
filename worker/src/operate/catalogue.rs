//! Files of what operators keep in the database: read, checked whole, and written, as CSV or JSON.
//!
//! Knows no table: each row's type brings its columns and its check. Every mistake is named with its line.

mod csv;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Names and ids longer than this are a mistake.
const TEXT_LIMIT: usize = 255;

/// How a catalogue's file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One line of column names, then one line a row (RFC 4180).
    Csv,
    /// A list of objects.
    Json,
}

/// What is wrong with a file, one mistake a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// A row of a file.
pub trait Part: Serialize + DeserializeOwned + Sized {
    /// Its columns in CSV, in their order.
    const COLUMNS: &'static [&'static str];
    /// Those of them that are numbers, or true or false; all others are text.
    const PLAIN: &'static [&'static str];

    /// Brings a row into the form that handlers look up, or says what is wrong with it.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn checked(self) -> Result<Self, String>;
}

/// Reads a file's rows, checked.
///
/// # Errors
/// [`Mistakes`] with every mistake.
pub fn read<P: Part>(text: &str, form: Form) -> Result<Vec<P>, Mistakes> {
    let one = |text: String| Mistakes(vec![text]);
    let rows = match form {
        Form::Json => match serde_json::from_str(text) {
            Ok(Value::Array(rows)) => (1..).zip(rows).map(|(nth, row)| (format!("entry {nth}"), row)).collect(),
            Ok(_) => return Err(one("the file must be a JSON list of objects".to_owned())),
            Err(error) => return Err(one(format!("the file is not JSON: {error}"))),
        },
        Form::Csv => rows_of_csv(text, P::COLUMNS, P::PLAIN).map_err(Mistakes)?,
    };
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    for (place, row) in rows {
        let read = serde_json::from_value::<P>(row).map_err(|error| error.to_string()).and_then(P::checked);
        match read {
            Ok(row) => good.push(row),
            Err(why) => wrong.push(format!("{place}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(Mistakes(wrong)) }
}

/// Writes rows as a file that [`read`] reads.
pub fn written<P: Part>(rows: &[P], form: Form) -> String {
    let value = serde_json::to_value(rows).unwrap_or_default();
    match form {
        Form::Json => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Form::Csv => {
            let mut lines = vec![P::COLUMNS.join(",")];
            for row in value.as_array().into_iter().flatten() {
                let cell = |column: &&str| csv::cell(row.get(*column).unwrap_or(&Value::Null));
                lines.push(P::COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","));
            }
            lines.join("\n")
        }
    }
}

/// Text that a row cannot do without.
pub(super) fn needed(column: &str, text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("{column} is empty")),
        text if text.len() > TEXT_LIMIT => Err(format!("{column} is longer than {TEXT_LIMIT} bytes")),
        text if text.chars().any(char::is_control) => Err(format!("{column} holds control characters")),
        text => Ok(text.to_owned()),
    }
}

/// CSV's rows as objects; an empty cell is an absent field, a number, true or false where the column is one.
fn rows_of_csv(text: &str, columns: &[&str], plain: &[&str]) -> Result<Vec<(String, Value)>, Vec<String>> {
    let mut lines = csv::lines(text).map_err(|line| vec![format!("line {line}: a quoted cell does not end")])?;
    if lines.is_empty() {
        return Err(vec![format!("the first line must name the columns: {}", columns.join(","))]);
    }
    let (_, names) = lines.remove(0);
    let unknown: Vec<_> = names.iter().filter(|name| !columns.contains(&name.trim())).cloned().collect();
    if !unknown.is_empty() {
        return Err(vec![format!(
            "line 1: no column is called {}; there are {}",
            unknown.join(", "),
            columns.join(",")
        )]);
    }
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for (line, cells) in lines {
        if cells.len() != names.len() {
            wrong.push(format!("line {line}: {} cells, and {} columns", cells.len(), names.len()));
            continue;
        }
        let filled = names.iter().zip(&cells).filter(|(_, cell)| !cell.trim().is_empty());
        let value = |name: &str, cell: &str| match serde_json::from_str::<Value>(cell.trim()) {
            Ok(value) if plain.contains(&name) && (value.is_number() || value.is_boolean()) => value,
            Ok(_) | Err(_) => Value::from(cell.trim()),
        };
        let row: Map<String, Value> =
            filled.map(|(name, cell)| (name.trim().to_owned(), value(name.trim(), cell))).collect();
        rows.push((format!("line {line}"), Value::Object(row)));
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}
