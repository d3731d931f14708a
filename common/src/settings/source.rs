//! The `[[source]]` tables as written; what a source is, the room of the sources knows.

use super::{Faults, tree::Section};

/// Gives every source's table the name that mistakes call it by: `source[github]`, else its number from 1.
pub(super) fn named(tables: Vec<Section>) -> Vec<Section> {
    tables
        .into_iter()
        .enumerate()
        .map(|(index, mut table)| {
            // A name that is no text is the source's mistake to report, when it reads its table.
            let name = table.reader(&mut Faults::new()).text("name");
            table.rename(&format!("source[{}]", name.unwrap_or_else(|| (index + 1).to_string())));
            table
        })
        .collect()
}
