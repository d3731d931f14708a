//! CSV as RFC 4180 has it: cells may be quoted, quotes within are doubled, a quoted cell may hold line ends.
//!
//! Knows no columns.

use serde_json::Value;

/// The lines that are not empty, each with its number in the file; the number of the line where a quoted cell began
/// that does not end.
pub(super) fn lines(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let mut lines = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut quoted, mut number, mut began) = (false, 1, 1);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                take(&mut lines, began, &mut cells);
                number += 1;
                began = number;
            }
            '\n' => {
                number += 1;
                cell.push(c);
            }
            other => cell.push(other),
        }
    }
    if quoted {
        return Err(began);
    }
    cells.push(cell);
    take(&mut lines, began, &mut cells);
    Ok(lines)
}

fn take(lines: &mut Vec<(usize, Vec<String>)>, number: usize, cells: &mut Vec<String>) {
    let cells = std::mem::take(cells);
    if cells.iter().any(|cell| !cell.trim().is_empty()) || cells.len() > 1 {
        lines.push((number, cells));
    }
}

/// A value as a cell; null is an empty one.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
