//! Reading a payload's fields, with the JSON pointer of whatever is missing or wrong.
//!
//! Tolerant where senders differ (a number as text, an id as a number, fields nobody asked for), and permanent in its
//! failures: the same bytes will not get better. Pointers are written without quotation marks, because fingerprints of
//! dead letters pass over what is quoted. Nothing here knows a source.

mod several;

use jiff::Timestamp;
use lychgate_common::source::TimeForm;
use serde_json::{Map, Value};

use crate::handler::Failure;

/// An object within a payload, and where it is.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    pointer: String,
}

/// Parses a body as JSON.
///
/// # Errors
/// Permanent, class `malformed_payload`.
pub fn parse(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::permanent("malformed_payload", format!("the body is not JSON: {error}")))
}

impl<'a> Fields<'a> {
    /// The payload itself, which must be an object.
    pub fn root(payload: &'a Value) -> Result<Self, Failure> {
        let object = payload.as_object().ok_or_else(|| wrong("/", "an object", payload))?;
        Ok(Self { object, pointer: String::new() })
    }

    /// A required object in it.
    pub fn object(&self, name: &str) -> Result<Self, Failure> {
        self.optional_object(name)?.ok_or_else(|| self.missing(name))
    }

    /// An object in it that may be absent or null.
    pub fn optional_object(&self, name: &str) -> Result<Option<Self>, Failure> {
        self.optional(name, "an object", |value| {
            value.as_object().map(|object| Self { object, pointer: self.pointer_to(name) })
        })
    }

    /// Whether a field is there, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Required text (a number is taken as its digits), not empty.
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        let text = self.optional_text(name)?.ok_or_else(|| self.missing(name))?;
        if text.trim().is_empty() {
            return Err(Failure::permanent("missing_field", format!("{} is empty", self.pointer_to(name))));
        }
        Ok(text)
    }

    /// Text that may be absent or null.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, Failure> {
        self.optional(name, "text without NUL", |value| match value {
            // PostgreSQL cannot store it.
            Value::String(text) => (!text.contains('\0')).then(|| text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// Text that may be absent or null, and is no number: a code or a word.
    pub fn optional_word(&self, name: &str) -> Result<Option<String>, Failure> {
        self.optional(name, "text without NUL", |value| {
            value.as_str().filter(|text| !text.contains('\0')).map(str::to_owned)
        })
    }

    /// A required whole number, as a number or as text.
    pub fn integer(&self, name: &str) -> Result<i64, Failure> {
        self.optional_integer(name)?.ok_or_else(|| self.missing(name))
    }

    /// A whole number that may be absent or null.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.optional(name, "a whole number", |value| match value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// A required time, ISO 8601.
    pub fn time(&self, name: &str) -> Result<Timestamp, Failure> {
        self.optional_time(name)?.ok_or_else(|| self.missing(name))
    }

    /// A time that may be absent or null; without an offset it is read as UTC.
    pub fn optional_time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        self.optional(name, "a time (ISO 8601)", |value| TimeForm::Rfc3339.read(value.as_str()?))
    }

    /// A time in seconds since 1970 that may be absent or null.
    pub fn optional_seconds(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let Some(seconds) = self.optional_integer(name)? else { return Ok(None) };
        let out_of_range = || format!("{} is no time in seconds since 1970", self.pointer_to(name));
        Timestamp::from_second(seconds).map(Some).map_err(|_| Failure::permanent("wrong_value", out_of_range()))
    }

    /// True or false (as text, too) that may be absent or null.
    pub fn optional_flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.optional(name, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// The id of another object, given as it is or within the object itself; may be absent or null.
    pub fn optional_id(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.object.get(name) {
            Some(Value::Object(_)) => self.object(name)?.optional_text("id"),
            Some(_) | None => self.optional_text(name),
        }
    }

    /// The first object of a list that may be absent, null or empty.
    pub fn optional_first(&self, name: &str) -> Result<Option<Self>, Failure> {
        let list = self.optional(name, "a list", Value::as_array)?;
        let Some(first) = list.and_then(|list| list.first()) else { return Ok(None) };
        let pointer = format!("{}/0", self.pointer_to(name));
        let object = first.as_object().ok_or_else(|| wrong(&pointer, "an object", first))?;
        Ok(Some(Self { object, pointer }))
    }

    /// A field as it stands, for a column that keeps it whole.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    /// A list of texts that may be absent or null.
    pub fn optional_texts(&self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        self.optional(name, "a list of texts", |value| {
            let text = |item: &Value| item.as_str().filter(|text| !text.contains('\0')).map(str::to_owned);
            value.as_array()?.iter().map(text).collect()
        })
    }

    /// A list of objects that may be absent or null.
    pub fn optional_objects(&self, name: &str) -> Result<Option<Vec<Self>>, Failure> {
        self.optional(name, "a list of objects", |value| {
            let pointer = self.pointer_to(name);
            let object = |(nth, item): (usize, &'a Value)| {
                item.as_object().map(|object| Self { object, pointer: format!("{pointer}/{nth}") })
            };
            value.as_array()?.iter().enumerate().map(object).collect()
        })
    }

    /// Where a field is, as a JSON pointer.
    pub fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// The failure of a required field that is absent or null.
    pub fn missing(&self, name: &str) -> Failure {
        Failure::permanent("missing_field", format!("{} is missing", self.pointer_to(name)))
    }

    fn optional<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| wrong(&self.pointer_to(name), what, value)),
        }
    }
}

/// Some senders (PHP) write whole numbers as `100.0`. Below 2^53 every whole number is exact.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Names the kind of what was found, never its value: a payload may hold secrets.
fn wrong(pointer: &str, expected: &str, found: &Value) -> Failure {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Failure::permanent("wrong_type", format!("{pointer} must be {expected}, and is {found}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_names_the_pointer_and_never_the_value() {
        let payload = json!({"data": {"user": {"id": ["secret"], "a/b": null}}});
        let user = Fields::root(&payload).unwrap().object("data").unwrap().object("user").unwrap();
        let said = |failure: Failure| failure.cause().message.clone();
        assert_eq!(said(user.text("id").unwrap_err()), "/data/user/id must be text without NUL, and is a list");
        assert_eq!(said(user.text("a/b").unwrap_err()), "/data/user/a~1b is missing");
        assert_eq!(said(Fields::root(&json!([])).unwrap_err()), "/ must be an object, and is a list");
        assert!(matches!(user.integer("id"), Err(Failure::Permanent(cause)) if cause.class == "wrong_type"));
    }

    #[test]
    fn numbers_are_taken_as_text_and_text_as_numbers() {
        let payload =
            json!({"limit": "1000", "id": 789, "half": 0.5, "php": 100.0, "late": "tomorrow", "nul": "a\u{0}"});
        let fields = Fields::root(&payload).unwrap();
        assert_eq!(fields.integer("limit").unwrap(), 1000);
        assert_eq!(fields.integer("php").unwrap(), 100);
        assert_eq!(fields.text("id").unwrap(), "789");
        assert!(fields.optional_word("id").is_err() && fields.optional_word("limit").is_ok());
        assert!(fields.integer("half").is_err() && fields.time("late").is_err() && fields.text("nul").is_err());
    }
}
