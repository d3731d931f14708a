//! Numbers with fractions, and lists of objects: fields that only some senders have.

use serde_json::Value;

use super::{Fields, wrong};
use crate::handler::Failure;

impl<'a> Fields<'a> {
    /// A required number, as a number or as text.
    pub fn number(&self, name: &str) -> Result<f64, Failure> {
        self.optional_number(name)?.ok_or_else(|| self.missing(name))
    }

    /// A number that may be absent or null.
    pub fn optional_number(&self, name: &str) -> Result<Option<f64>, Failure> {
        self.optional(name, "a number", |value| match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// A required list of objects, which may be empty.
    pub fn objects(&self, name: &str) -> Result<Vec<Self>, Failure> {
        let list = self.optional(name, "a list", Value::as_array)?.ok_or_else(|| self.missing(name))?;
        let object = |(at, item): (usize, &'a Value)| {
            let pointer = format!("{}/{at}", self.pointer_to(name));
            let object = item.as_object().ok_or_else(|| wrong(&pointer, "an object", item))?;
            Ok(Self { object, pointer })
        };
        list.iter().enumerate().map(object).collect()
    }

    /// The fields that none of `known` names, for a column that keeps the rest.
    pub fn others(&self, known: &[&str]) -> Value {
        let rest = self.object.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        Value::Object(rest.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}
