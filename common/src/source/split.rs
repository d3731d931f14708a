//! Where a body's events stand, when one request brings several: the body itself is an array, or one of its fields is.
//!
//! Each event is a slice of the body, byte for byte: what is verified alone, named alone and stored alone is the same.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    pointer::{Pointer, json_text, not_json},
    refused::Refused,
};

/// Most events that one array may bring: ten times what the batching senders (HubSpot, SendGrid) send.
pub const EVENT_LIMIT: usize = 1000;

/// The array, and what of each element is the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    array: Option<Pointer>,
    inner: Option<Pointer>,
}

impl Split {
    /// The body is the array; anything else is one event.
    pub fn body() -> Self {
        Self { array: None, inner: None }
    }

    /// The array stands at this pointer, and must.
    pub fn at(array: Pointer) -> Self {
        Self { array: Some(array), inner: None }
    }

    /// What stands there inside each element is the event, and not the element itself.
    pub fn within(self, inner: Pointer) -> Self {
        Self { inner: Some(inner), ..self }
    }

    /// The pointer of the array, where it is not the body itself.
    pub fn array(&self) -> Option<&Pointer> {
        self.array.as_ref()
    }

    /// Where the nth event stands.
    pub(super) fn place(&self, nth: usize) -> String {
        let text = |pointer: &Option<Pointer>| pointer.as_ref().map_or("", Pointer::as_str).to_owned();
        format!("{}/{nth}{}", text(&self.array), text(&self.inner))
    }

    /// The events, each its own slice of the body; `None` where the body itself should be the array, and is none.
    pub(super) fn events(&self, body: &Bytes) -> Result<Option<Vec<Bytes>>, Refused> {
        let text = json_text(body)?;
        let array = match &self.array {
            None if !text.trim_ascii_start().starts_with('[') => return Ok(None),
            None => text,
            Some(pointer) => find(text, pointer)?.ok_or_else(|| pointer.missing())?,
        };
        let elements: Vec<&RawValue> = match &self.array {
            Some(pointer) if !array.starts_with('[') => return Err(pointer.wrong("it must be a list")),
            Some(_) | None => serde_json::from_str(array).map_err(not_json)?,
        };
        if elements.len() > EVENT_LIMIT {
            return Err(Refused::TooManyEvents { count: elements.len(), limit: EVENT_LIMIT });
        }
        let cut = |(nth, element): (usize, &RawValue)| match self.event(element.get())? {
            Some(event) => Ok(body.slice_ref(event)),
            None => Err(Refused::FieldMissing { pointer: self.place(nth).into() }),
        };
        elements.into_iter().enumerate().map(cut).collect::<Result<_, _>>().map(Some)
    }

    fn event<'t>(&self, element: &'t str) -> Result<Option<&'t [u8]>, Refused> {
        let Some(pointer) = &self.inner else { return Ok(Some(element.as_bytes())) };
        Ok(find(element, pointer)?.map(str::as_bytes))
    }
}

/// The raw text of what stands at a pointer of objects.
fn find<'t>(text: &'t str, pointer: &Pointer) -> Result<Option<&'t str>, Refused> {
    let mut text = text;
    for step in pointer.steps() {
        if !text.trim_ascii_start().starts_with('{') {
            return Ok(None);
        }
        let object: HashMap<String, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
        match object.get(step) {
            Some(value) => text = value.get(),
            None => return Ok(None),
        }
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(split: &Split, body: &'static str) -> Result<Option<Vec<Bytes>>, Refused> {
        split.events(&Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn an_array_deep_inside_is_cut_out_byte_for_byte() {
        let split = Split::at(Pointer::literal("/a/list")).within(Pointer::literal("/item"));
        let found = events(&split, r#"{"a":{"list":[ {"item":{"x": 1.0}}, {"item": [2]}]},"b":0}"#).unwrap();
        assert_eq!(found.unwrap(), [r#"{"x": 1.0}"#, "[2]"]);
        assert_eq!(events(&split, r#"{"a":{"list":[]}}"#), Ok(Some(Vec::new())));
    }

    #[test]
    fn a_list_that_is_missing_or_none_is_refused_with_its_place() {
        let split = Split::at(Pointer::literal("/events")).within(Pointer::literal("/item"));
        for (body, detail) in [
            (r#"{"event":[]}"#, "Missing /events in payload"),
            ("7", "Missing /events in payload"),
            (r#"{"events":{}}"#, "Invalid /events in payload: it must be a list"),
            (r#"{"events":[{}]}"#, "Missing /events/0/item in payload"),
        ] {
            let said = events(&split, body).unwrap_err().detail();
            assert!(said.starts_with(detail), "{said}");
        }
        assert_eq!(events(&Split::body(), r#"{"one":1}"#), Ok(None));
    }
}
