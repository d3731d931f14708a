//! The `[[source]]` tables as written; what a source is, the room of the sources knows.

use super::{Faults, tree::Section};

/// What every source's table is named by in mistakes: its `name`, else its number from 1.
pub(super) fn tables(root: &Section, faults: &mut Faults) -> Vec<Section> {
    let mut reader = root.reader(faults);
    let tables: Vec<Section> = reader.sections("source").into_iter().cloned().collect();
    drop(reader);
    tables
        .into_iter()
        .enumerate()
        .map(|(index, mut table)| {
            let name = table.reader(&mut Faults::new()).text("name");
            table.rename(&format!("source[{}]", name.unwrap_or_else(|| (index + 1).to_string())));
            table
        })
        .collect()
}
