//! Bodies such as real senders send, for `lychgate send` and for tests.
//!
//! Shapes follow the senders' documents; names and addresses are invented.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::preset;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The event type.
    pub kind: &'a str,
    /// The event's id, where the sender has ids.
    pub id: &'a str,
    /// Whose event it is, where the source has tenants.
    pub tenant: Option<&'a str>,
    /// What it is about; an invented one where the caller does not mind.
    pub subject: Option<&'a str>,
    /// The time it claims and is signed at.
    pub at: Timestamp,
}

impl Draft<'_> {
    /// The time as most JSON has it.
    pub(super) fn time(&self) -> String {
        self.at.to_string()
    }

    pub(super) fn subject_or(&self, invented: &str) -> String {
        self.subject.unwrap_or(invented).to_owned()
    }
}

/// The body that a preset's sender would send; a plain object for a preset that is not known.
pub fn body(preset: &str, draft: &Draft<'_>) -> Bytes {
    let value = match preset::named(preset) {
        Some(preset) => (preset.sample)(draft),
        None => json!({"id": draft.id, "type": draft.kind, "data": {}}),
    };
    match value {
        // A sender whose bodies are no JSON.
        Value::String(text) => Bytes::from(text),
        json => Bytes::from(json.to_string()),
    }
}
