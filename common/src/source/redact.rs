//! Takes out of a body what must not be stored (Moodle sends its token inside the event), or says nothing about the event
//! (when a token was issued: signed anew, the event is the same).
//!
//! The value is cut out of the raw bytes and everything else stays as it arrived. Top-level fields only.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

/// The body with each of these fields' values replaced by `""`. A body that is no JSON object is left as it is.
pub(super) fn redacted(body: &Bytes, fields: &[&str]) -> Bytes {
    replaced(body, fields, "\"\"")
}

/// The same with `null`, for fields that are no text.
pub(super) fn blanked(body: &Bytes, fields: &[&str]) -> Bytes {
    replaced(body, fields, "null")
}

fn replaced(body: &Bytes, fields: &[&str], by: &str) -> Bytes {
    let mut body = body.clone();
    for field in fields {
        if let Some(shorter) = without(&body, field, by) {
            body = shorter;
        }
    }
    body
}

fn without(body: &Bytes, field: &str, by: &str) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let object: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let value = object.get(field)?.get();
    let start = (value.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let (before, after) = (text.get(..start)?, text.get(start + value.len()..)?);
    let mut shorter = BytesMut::with_capacity(body.len());
    for part in [before, by, after] {
        shorter.extend_from_slice(part.as_bytes());
    }
    Some(shorter.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_gone() {
        let body = Bytes::from_static(br#"{"a": 1.0, "token": "se\"cret", "b": {"token": "kept"}}"#);
        assert_eq!(&redacted(&body, &["token"])[..], br#"{"a": 1.0, "token": "", "b": {"token": "kept"}}"#);
        for untouched in ["[1]", "not json", r#"{"a": 1}"#] {
            assert_eq!(redacted(&Bytes::from_static(untouched.as_bytes()), &["token"]), untouched);
        }
    }
}
