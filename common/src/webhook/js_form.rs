//! JSON as JavaScript writes it.
//!
//! Document D's receivers verify `JSON.stringify(request.body)`, the parsed body written again. So a delivery is written
//! as that would come out: numbers in JavaScript's form, keys that are array indices first. Integers beyond 2^53, which
//! JavaScript would change, stay what they are: their receivers verify the raw body.

use std::io;

use serde::Serialize;
use serde_json::{
    Map, Value,
    ser::{Formatter, Serializer},
};

/// Writes a value.
pub(super) fn written(value: Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Values without non-string keys are always written, and a vector takes every byte.
    let _infallible = in_order(value).serialize(&mut Serializer::with_formatter(&mut bytes, JavaScript));
    bytes
}

struct JavaScript;

impl Formatter for JavaScript {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }
}

/// Integer keys come first, by their size; the others stay in the order in which they were written.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let (mut indices, names): (Vec<_>, Vec<_>) = map.into_iter().partition(|(key, _)| index(key).is_some());
            indices.sort_by_key(|(key, _)| index(key));
            let all = indices.into_iter().chain(names);
            Value::Object(all.map(|(key, value)| (key, in_order(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// An array index, as ECMA-262 has it: the shortest form of an integer from 0 to 2^32 - 2.
fn index(key: &str) -> Option<u32> {
    let shortest = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    key.parse().ok().filter(|number| shortest && *number < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_keys_are_written_as_javascript_does() {
        let text = r#"{"b": 1.0, "10": 1e21, "2": -0.0, "01": 0.00001, "a": "\u0007é\u2028/", "c": [1e-7, 120.50, 9007199254740993]}"#;
        let written = String::from_utf8(written(serde_json::from_str(text).unwrap())).unwrap();
        let expected = "{\"2\":0,\"10\":1e+21,\"b\":1,\"01\":0.00001,\"a\":\"\\u0007é\u{2028}/\",\"c\":[1e-7,120.5,9007199254740993]}";
        assert_eq!(written, expected);
    }
}
