//! Everything that can be set, for every process: one TOML file, environment variables over it, options over both.
//!
//! All mistakes are reported at once, each with its place; unknown keys are mistakes. Defaults stand beside the section
//! that reads them. Nothing here opens a connection or a listener.

mod environment;
mod fault;
mod input;
mod rate;
mod reader;
mod secrets;
mod setting;
mod source;
mod tree;
mod value;

use std::sync::Arc;

use self::tree::{Origin, Place};
pub use self::{
    fault::{Fault, Faults},
    input::{DEFAULT_FILE, Input, Override, SettingsFile},
    rate::{OnLimit, Rate, RateLimit},
    reader::{Reader, Shown},
    secrets::EncryptionKey,
    setting::{Row, Setting},
    tree::Section,
    value::{ByteSize, Readable},
};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `[[source]]` tables, for the room of the sources to read.
    pub sources: Vec<Section>,
}

impl Settings {
    /// Reads and checks everything; on any mistake returns all of them.
    pub fn read(input: &Input) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let root = tree(input, &mut faults);
        let sources = source::tables(&root, &mut faults);
        faults.none_or(Self { sources })
    }
}

/// The file with everything from outside laid over it.
fn tree(input: &Input, faults: &mut Faults) -> Section {
    let (folder, private) = match &input.file {
        Some(file) => (file.path.parent().map(ToOwned::to_owned).unwrap_or_default(), file.private),
        None => Default::default(),
    };
    let origin = Arc::new(Origin { environment: input.environment.clone(), folder, private });
    let mut root = match &input.file {
        Some(file) => {
            let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
            Section::parse(&Arc::from(name), &file.text, &origin, faults)
        }
        None => Section::empty("", Place::File(DEFAULT_FILE.into(), 0), &origin),
    };
    environment::overlay(&mut root, &origin, faults);
    for option in &input.options {
        let place = Place::Outside(option.option.into());
        root.set(option.key, Section::outside(option.key, &option.value, &place, &origin));
    }
    root
}

/// A reader over a piece of TOML, for tests of rooms that read their own section.
impl Section {
    /// Parses `text` as a section named `path`, as if it stood in a private `lychgate.toml`, with this environment.
    pub fn of_text(path: &str, text: &str, environment: &[(&str, &str)], faults: &mut Faults) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let origin = Arc::new(Origin { environment, private: true, ..Origin::default() });
        let mut section = Self::parse(&DEFAULT_FILE.into(), text, &origin, faults);
        section.rename(path);
        section
    }
}

#[cfg(test)]
mod tests;
