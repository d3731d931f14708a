//! What a field must be before an event is taken: there, and of a kind that its handler can read.
//!
//! Refusing here tells the sender at once which field is wrong; a dead letter would tell an operator tomorrow. Lenient
//! where senders differ: a number may be written as text.

use serde_json::Value;

use super::super::{
    place::{Place, scalar},
    pointer::Pointer,
    reading::Reading,
    refused::Refused,
    time::TimeForm,
};

/// A field that some types of event cannot do without.
#[derive(Clone, Debug)]
pub struct Check {
    /// The types: whole names, or beginnings that end in `.` or `_`.
    pub kinds: &'static [&'static str],
    /// Where it stands.
    pub at: Place,
    /// What it must be.
    pub shape: Shape,
}

/// What a field must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text that is not empty, or a number (an id).
    Text,
    /// A number, also written as text.
    Number,
    /// A time, in ISO 8601 or as a number since 1970.
    Time,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Check {
    /// Checks for these types, one for each pointer.
    pub(in super::super) fn all<const N: usize>(
        kinds: &'static [&'static str],
        fields: [(&'static str, Shape); N],
    ) -> [Self; N] {
        fields.map(|(pointer, shape)| Self { kinds, at: Place::Field(Pointer::literal(pointer)), shape })
    }

    pub(super) fn is_for(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| *known == kind || (known.ends_with(['.', '_']) && kind.starts_with(known)))
    }

    pub(super) fn holds(&self, reading: &Reading<'_>) -> Result<(), Refused> {
        let Place::Field(pointer) = &self.at else { return Ok(()) };
        match reading.field(pointer)? {
            None | Some(Value::Null) => Err(self.at.missing()),
            Some(Value::String(text)) if text.trim().is_empty() => Err(self.at.missing()),
            Some(value) if self.shape.fits(&value) => Ok(()),
            Some(_) => Err(self.at.wrong(self.shape.words())),
        }
    }
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string() || value.is_number(),
            Self::Number => match value {
                Value::Number(_) => true,
                Value::String(text) => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
            },
            Self::Time => scalar(value).is_some_and(|text| TimeForm::Any.read(&text).is_some()),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text => "it must be text",
            Self::Number => "it must be a number",
            Self::Time => TimeForm::Any.words(),
            Self::List => "it must be a list",
            Self::Object => "it must be an object",
        }
    }
}
