//! What a field must be before an event is taken: there, and of a kind that its handler can read.
//!
//! Refusing here tells the sender at once which field is wrong, by its JSON pointer; a dead letter would tell an operator
//! tomorrow. Only fields without which an event says nothing are asked for; all others are kept and judged by nobody.
//! Lenient where senders differ: a number may be written as text, an id as a number.

use bytes::Bytes;
use serde_json::Value;

use super::super::{
    place::scalar,
    pointer::{Pointer, pick},
    refused::Refused,
    time::TimeForm,
};

/// Longest e-mail address, in bytes (RFC 5321).
const EMAIL_LIMIT: usize = 254;

/// From here on not every whole number is exact in the form that JSON's fractions are read into.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A field that some types of event cannot do without.
#[derive(Clone, Debug)]
pub struct Check {
    /// The types: whole names, or beginnings that end in `.` or `_`.
    pub kinds: &'static [&'static str],
    /// Where it stands: the first of these that holds something counts, and the first is what it is called.
    pub at: Vec<Pointer>,
    /// What it must be.
    pub shape: Shape,
}

/// What a field must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Text that is not empty and holds no NUL (which PostgreSQL cannot store), or a number (an id).
    Text,
    /// Text, as [`Shape::Text`], and no number: a code or a word.
    Word,
    /// An e-mail address.
    Email,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An id, as it is or within the object that it names.
    Id,
    /// A number, also written as text.
    Number,
    /// A whole number, also written as text.
    Integer,
    /// A time, in ISO 8601 or as a number since 1970.
    Time,
    /// A time in ISO 8601 only.
    Moment,
    /// A list of texts.
    Texts,
    /// A list of objects, each with these fields.
    Objects(&'static [(&'static str, Self)]),
    /// An object.
    Object,
    /// A number from 0 to the one that stands at the check's second place. Where one of them is no number, that is for
    /// another check to say.
    Scored,
    /// This, or nothing at all.
    Optional(&'static Self),
}

/// Whether this can be an e-mail address. That somebody reads it is for the post to find out.
pub fn is_email(text: &str) -> bool {
    let halves = text.split_once('@');
    text.len() <= EMAIL_LIMIT
        && halves.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Checks what an event of this type cannot do without, in one pass over its body.
pub(super) fn hold(checks: &[Check], kind: &str, body: &Bytes) -> Result<(), Refused> {
    let due: Vec<&Check> = checks.iter().filter(|check| check.is_for(kind)).collect();
    if due.is_empty() {
        return Ok(());
    }
    let pointers: Vec<&Pointer> = due.iter().flat_map(|check| &check.at).collect();
    let mut values = pick(body, &pointers)?.into_iter();
    due.into_iter().try_for_each(|check| {
        let found: Vec<Option<Value>> = values.by_ref().take(check.at.len()).collect();
        check.holds(&found, body)
    })
}

impl Check {
    /// Checks for these types, one for each pointer.
    pub(in super::super) fn all<const N: usize>(
        kinds: &'static [&'static str],
        fields: [(&'static str, Shape); N],
    ) -> [Self; N] {
        fields.map(|(pointer, shape)| Self { kinds, at: vec![Pointer::literal(pointer)], shape })
    }

    /// A check of a field that may stand at any of these.
    pub(in super::super) fn any_of(kinds: &'static [&'static str], pointers: &[&'static str], shape: Shape) -> Self {
        Self { kinds, at: pointers.iter().map(|pointer| Pointer::literal(pointer)).collect(), shape }
    }

    fn is_for(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| *known == kind || (known.ends_with(['.', '_']) && kind.starts_with(known)))
    }

    /// A check of a score against the most that it may be.
    pub(in super::super) fn scored(kinds: &'static [&'static str], score: &'static str, max: &'static str) -> Self {
        Self { kinds, at: vec![Pointer::literal(score), Pointer::literal(max)], shape: Shape::Scored }
    }

    fn holds(&self, found: &[Option<Value>], body: &Bytes) -> Result<(), Refused> {
        if self.shape == Shape::Scored {
            return scored(&self.at, found);
        }
        let there =
            self.at.iter().zip(found).find_map(|(at, value)| Some((at, value.as_ref().filter(|v| is_there(v))?)));
        match (there, self.at.first()) {
            (Some((at, value)), _) => self.shape.judge(Some(value), at.as_str()),
            (None, Some(_)) if matches!(self.shape, Shape::Optional(_)) => Ok(()),
            (None, Some(first)) => Err(blocked(first, body)?.unwrap_or_else(|| first.missing())),
            (None, None) => Ok(()),
        }
    }
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// What stands on the way to a field where an object should.
fn blocked(field: &Pointer, body: &Bytes) -> Result<Option<Refused>, Refused> {
    let ways: Vec<Pointer> = field
        .as_str()
        .match_indices('/')
        .filter(|(at, _)| *at > 0)
        .filter_map(|(at, _)| field.as_str().get(..at).map(Pointer::literal))
        .collect();
    let found = pick(body, &ways.iter().collect::<Vec<_>>())?;
    let other = |(way, value): (&Pointer, Option<Value>)| {
        value
            .filter(|value| !value.is_object() && !value.is_null())
            .map(|value| Shape::Object.wrong(&value, way.as_str()))
    };
    Ok(ways.iter().zip(found).find_map(other))
}

impl Shape {
    fn judge(self, value: Option<&Value>, pointer: &str) -> Result<(), Refused> {
        if let Self::Optional(shape) = self {
            return value.filter(|value| !value.is_null()).map_or(Ok(()), |value| shape.judge(Some(value), pointer));
        }
        let Some(value) = value.filter(|value| is_there(value)) else {
            return Err(Refused::FieldMissing { pointer: pointer.to_owned().into() });
        };
        match (self, value) {
            (Self::Objects(fields), Value::Array(items)) => items.iter().enumerate().try_for_each(|(at, item)| {
                let pointer = format!("{pointer}/{at}");
                Self::Object.judge(Some(item), &pointer)?;
                fields.iter().try_for_each(|(name, shape)| shape.judge(item.get(name), &format!("{pointer}/{name}")))
            }),
            _ if self.fits(value) => Ok(()),
            _ => Err(self.wrong(value, pointer)),
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_number() || value.as_str().is_some_and(|text| !text.contains('\0')),
            Self::Word => value.is_string() && Self::Text.fits(value),
            Self::Email => value.as_str().is_some_and(|text| is_email(text.trim())),
            Self::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Id => Self::Text.fits(value) || value.get("id").is_some_and(|id| is_there(id) && Self::Text.fits(id)),
            Self::Number => value.is_number() || number(value).is_some(),
            Self::Integer => match value {
                Value::Number(number) => {
                    number.is_i64() || number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < EXACT)
                }
                Value::String(text) => text.trim().parse::<i64>().is_ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
            },
            Self::Time => scalar(value).is_some_and(|text| TimeForm::Any.read(&text).is_some()),
            Self::Moment => value.as_str().is_some_and(|text| TimeForm::Rfc3339.read(text).is_some()),
            Self::Texts => {
                let text = |item: &Value| item.as_str().is_some_and(|text| !text.contains('\0'));
                value.as_array().is_some_and(|items| items.iter().all(text))
            }
            Self::Objects(_) => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            Self::Object => value.is_object(),
            Self::Scored => true,
            Self::Optional(shape) => value.is_null() || shape.fits(value),
        }
    }

    /// The refusal; it names the kind of what was found, never its value, which may be a secret.
    fn wrong(self, found: &Value, pointer: &str) -> Refused {
        let words = self.words();
        let is = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let why = match (self, found) {
            (Self::Text | Self::Word | Self::Email | Self::OneOf(_) | Self::Time | Self::Moment, Value::String(_))
            | (Self::Texts | Self::Objects(_), Value::Array(_))
            | (Self::Id, Value::Object(_)) => words,
            _ => format!("{words}, and is {is}"),
        };
        Refused::FieldWrong { pointer: pointer.to_owned().into(), why: why.into() }
    }

    fn words(self) -> String {
        match self {
            Self::Text | Self::Word => "it must be text without NUL characters".to_owned(),
            Self::Email => "it must be an e-mail address".to_owned(),
            Self::OneOf(words) => format!("it must be one of {}", words.join(", ")),
            Self::Id => "it must be an id, or an object with the field id".to_owned(),
            Self::Number => "it must be a number".to_owned(),
            Self::Integer => "it must be a whole number".to_owned(),
            Self::Time => TimeForm::Any.words().to_owned(),
            Self::Moment => TimeForm::Rfc3339.words().to_owned(),
            Self::Texts => "it must be a list of texts".to_owned(),
            Self::Objects(_) => "it must be a list of objects".to_owned(),
            Self::Object => "it must be an object".to_owned(),
            Self::Scored => "it must be within its bounds".to_owned(),
            Self::Optional(shape) => shape.words(),
        }
    }
}

/// A number, also written as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn scored(at: &[Pointer], found: &[Option<Value>]) -> Result<(), Refused> {
    let ([score, max], [found, most]) = (at, found) else { return Ok(()) };
    match (found.as_ref().and_then(number), most.as_ref().and_then(number)) {
        (_, Some(most)) if most <= 0.0 => Err(max.wrong("it must be more than 0")),
        (Some(found), Some(most)) if !(0.0..=most).contains(&found) => {
            Err(score.wrong(format!("it must be from 0 to {}", max.as_str())))
        }
        (_, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pointer: &'static str, shape: Shape, body: &str) -> Option<String> {
        let checks = Check::all(&["a."], [(pointer, shape)]);
        hold(&checks, "a.b", &Bytes::copy_from_slice(body.as_bytes())).err().map(|refused| refused.detail())
    }

    #[test]
    fn the_pointer_of_what_is_missing_or_wrong_is_named_and_never_its_value() {
        let missing =
            |pointer: &str| Some(format!("Missing {pointer} in payload: the field is required and must not be empty"));
        for body in ["{}", r#"{"d":null}"#, r#"{"d":{}}"#, r#"{"d":{"x":null}}"#, r#"{"d":{"x":" "}}"#] {
            assert_eq!(refused("/d/x", Shape::Number, body), missing("/d/x"), "{body}");
        }
        let wrong = |text: &str| Some(text.to_owned());
        let said = refused("/d/x", Shape::Number, r#"{"d":{"x":["secret"]}}"#);
        assert_eq!(said, wrong("Invalid /d/x in payload: it must be a number, and is a list"));
        let said = refused("/d/x", Shape::Text, r#"{"d":"text"}"#);
        assert_eq!(said, wrong("Invalid /d in payload: it must be an object, and is text"));
        let inner = Shape::Objects(&[("k", Shape::OneOf(&["one", "two"]))]);
        let said = refused("/d", inner, r#"{"d":[{"k":"one"},{"k":"three"}]}"#);
        assert_eq!(said, wrong("Invalid /d/1/k in payload: it must be one of one, two"));
        assert_eq!(refused("/d", inner, r#"{"d":[{"k":"one"},{}]}"#), missing("/d/1/k"));
        assert_eq!(
            refused("/d", inner, r#"{"d":[7]}"#),
            wrong("Invalid /d/0 in payload: it must be an object, and is a number")
        );
    }

    #[test]
    fn a_score_lies_between_nothing_and_its_most() {
        let check = [Check::scored(&["a"], "/d/score", "/d/maxScore")];
        let said = |score: &str, most: &str| {
            let body = format!(r#"{{"d":{{"score":{score},"maxScore":{most}}}}}"#);
            hold(&check, "a", &body.into()).err().map(|refused| refused.detail())
        };
        for (score, most) in
            [("0", "100"), ("100", "100"), (r#""85.5""#, "100"), ("0", "0.5"), (r#""many""#, "100"), ("1", "null")]
        {
            assert_eq!(said(score, most), None, "{score} of {most}");
        }
        for (score, most) in [("-0.1", "100"), ("100.1", "100"), (r#""101""#, r#""100""#)] {
            let wrong = Some("Invalid /d/score in payload: it must be from 0 to /d/maxScore".to_owned());
            assert_eq!(said(score, most), wrong, "{score} of {most}");
        }
        for most in ["0", "-1"] {
            let wrong = Some("Invalid /d/maxScore in payload: it must be more than 0".to_owned());
            assert_eq!(said("0", most), wrong, "{most}");
        }
    }

    #[test]
    fn what_senders_write_differently_is_taken() {
        for (shape, value) in [
            (Shape::Text, "7"),
            (Shape::Number, r#""0.5""#),
            (Shape::Integer, r#""1000""#),
            (Shape::Integer, "100.0"),
            (Shape::Time, "1704110400"),
            (Shape::Time, r#""1704110400""#),
            (Shape::Moment, r#""2024-01-15T10:30:00""#),
            (Shape::Email, r#"" Jane@example.com ""#),
            (Shape::Id, r#"{"id":5}"#),
            (Shape::Texts, "[]"),
        ] {
            assert_eq!(refused("/x", shape, &format!(r#"{{"x":{value}}}"#)), None, "{shape:?} {value}");
        }
        for (shape, value) in [
            (Shape::Text, r#""a\u0000""#),
            (Shape::Word, "7"),
            (Shape::Word, r#""a\u0000""#),
            (Shape::Integer, "0.5"),
            (Shape::Moment, "1704110400"),
            (Shape::Email, r#""jane""#),
            (Shape::Id, r#"{"id":""}"#),
            (Shape::Texts, "[1]"),
        ] {
            assert!(refused("/x", shape, &format!(r#"{{"x":{value}}}"#)).is_some(), "{shape:?} {value}");
        }
    }

    #[test]
    fn one_of_several_places_is_enough() {
        let checks = [Check::any_of(&["a"], &["/x/id", "/y"], Shape::Text)];
        let of = |body: &str| hold(&checks, "a", &Bytes::copy_from_slice(body.as_bytes())).map_err(|r| r.detail());
        assert_eq!((of(r#"{"x":{"id":1}}"#), of(r#"{"y":"1"}"#)), (Ok(()), Ok(())));
        assert!(of(r#"{"z":1}"#).unwrap_err().contains("/x/id"));
    }
}
