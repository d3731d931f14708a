//! JSON pointers (RFC 6901), and reading a few of them out of a body in one pass without building the whole of it.
//!
//! Never guesses: a key that stands twice in an object on the way to a sought value is refused, because the next parser
//! might take the other one.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::refused::Refused;

/// How deep a body may be nested: `serde_json`'s own limit, which the handlers behind us live with too.
pub const DEPTH_LIMIT: usize = 127;

/// A parsed JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: Arc<str>,
    steps: Arc<[String]>,
}

impl Pointer {
    /// Reads a pointer as a user writes it; `None` unless it starts with `/`.
    pub fn parse(text: &str) -> Option<Self> {
        text.starts_with('/').then(|| Self::literal(text))
    }

    /// A pointer known to be good because it stands in a preset.
    pub fn literal(text: &str) -> Self {
        let steps =
            text.trim_start_matches('/').split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        Self { text: text.into(), steps }
    }

    /// The pointer as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn missing(&self) -> Refused {
        Refused::FieldMissing { pointer: self.text.to_string().into() }
    }

    pub(super) fn wrong(&self, why: impl Into<Cow<'static, str>>) -> Refused {
        Refused::FieldWrong { pointer: self.text.to_string().into(), why: why.into() }
    }

    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The body as text, once it is known to be UTF-8 and not nested too deep.
pub(super) fn json_text(body: &[u8]) -> Result<&str, Refused> {
    if body.is_empty() {
        return Err(Refused::BodyNotJson { why: "it is empty".to_owned() });
    }
    let text = std::str::from_utf8(body)
        .map_err(|fault| Refused::BodyNotJson { why: format!("not UTF-8 at byte {}", fault.valid_up_to()) })?;
    if depth(body) > DEPTH_LIMIT {
        return Err(Refused::BodyTooDeep { limit: DEPTH_LIMIT });
    }
    Ok(text)
}

/// Checks that the body is one JSON value and returns what stands at each pointer, `None` where nothing does.
pub(super) fn pick(body: &[u8], pointers: &[&Pointer]) -> Result<Vec<Option<Value>>, Refused> {
    let text = json_text(body)?;
    let mut found = vec![None; pointers.len()];
    let active: Vec<usize> = (0..pointers.len()).collect();
    let mut json = serde_json::Deserializer::from_str(text);
    Seek { pointers, active, depth: 0, found: &mut found }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(not_json)?;
    Ok(found)
}

pub(super) fn not_json(fault: serde_json::Error) -> Refused {
    Refused::BodyNotJson { why: fault.to_string() }
}

/// The deepest nesting of brackets outside strings.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Walks down towards the pointers in `active`, all of which lead through the value at hand.
struct Seek<'a> {
    pointers: &'a [&'a Pointer],
    active: Vec<usize>,
    depth: usize,
    found: &'a mut [Option<Value>],
}

impl Seek<'_> {
    /// Which pointers go on through `key`.
    fn through(&self, key: &str) -> Vec<usize> {
        let leads = |index: &&usize| {
            self.pointers.get(**index).and_then(|pointer| pointer.steps().get(self.depth)).is_some_and(|s| s == key)
        };
        self.active.iter().filter(leads).copied().collect()
    }

    /// Whether one of `active` ends with the step just taken, so that its value has to be built.
    fn ends(&self, active: &[usize]) -> bool {
        active.iter().any(|index| self.pointers.get(*index).is_some_and(|p| p.steps().len() == self.depth + 1))
    }

    /// Gives each of `active` its part of a value that was built.
    fn settle(&mut self, active: &[usize], value: &Value) {
        for index in active {
            let rest = self.pointers.get(*index).map(|pointer| pointer.steps().iter().skip(self.depth + 1));
            let part = rest.and_then(|mut rest| {
                rest.try_fold(value, |value, step| match value {
                    Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                    Value::Object(map) => map.get(step),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
                })
            });
            if let Some(place) = self.found.get_mut(*index) {
                *place = part.cloned();
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen: Vec<usize> = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let active = self.through(&key);
            if active.iter().any(|index| seen.contains(index)) {
                return Err(serde::de::Error::custom(format_args!("`{key}` stands twice in one object")));
            }
            seen.extend(&active);
            if active.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else if self.ends(&active) {
                let value = map.next_value()?;
                self.settle(&active, &value);
            } else {
                let (pointers, depth) = (self.pointers, self.depth + 1);
                map.next_value_seed(Seek { pointers, active, depth, found: self.found })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut at = 0_usize;
        loop {
            let active = self.through(&at.to_string());
            let more = if active.is_empty() {
                seq.next_element::<IgnoredAny>()?.is_some()
            } else {
                let value: Option<Value> = seq.next_element()?;
                value.inspect(|value| self.settle(&active, value)).is_some()
            };
            if !more {
                return Ok(());
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// An object's key, borrowed where it holds no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &str, pointers: &[&str]) -> Result<Vec<Option<Value>>, Refused> {
        let pointers: Vec<Pointer> = pointers.iter().map(|text| Pointer::literal(text)).collect();
        pick(body.as_bytes(), &pointers.iter().collect::<Vec<_>>())
    }

    #[test]
    fn several_pointers_are_read_in_one_pass() {
        let body = r#"{"id":"e","data":{"user":{"id":7},"x":[{"k":1},{"k":2}]},"a/b":true,"n":null}"#;
        let found = read(body, &["/id", "/data/user/id", "/data/x/1/k", "/a~1b", "/n", "/none", "/data/user"]).unwrap();
        let some = |value: Value| Some(value);
        assert_eq!(
            found,
            vec![
                some(json!("e")),
                some(json!(7)),
                some(json!(2)),
                some(json!(true)),
                some(Value::Null),
                None,
                some(json!({"id": 7}))
            ]
        );
    }

    #[test]
    fn a_sought_key_that_stands_twice_is_refused() {
        assert!(read(r#"{"id":"a","id":"b"}"#, &["/id"]).is_err());
        assert!(read(r#"{"d":{"id":"a"},"d":{"id":"b"}}"#, &["/d/id"]).is_err());
        assert!(read(r#"{"x":1,"x":2,"id":"a"}"#, &["/id"]).is_ok());
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for bad in ["", "{", "nope", "{} x", "{\"a\":}", "\u{feff}{}"] {
            assert!(matches!(read(bad, &["/id"]), Err(Refused::BodyNotJson { .. })), "{bad:?}");
        }
        assert!(matches!(pick(b"{\"a\":\"\xff\"}", &[]), Err(Refused::BodyNotJson { .. })));
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_strings_are_not_nesting() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(&deep, &["/id"]), Err(Refused::BodyTooDeep { .. })));
        assert!(read(&format!("{{\"x\":\"{}\"}}", "[".repeat(1000)), &["/id"]).is_ok());
    }
}
