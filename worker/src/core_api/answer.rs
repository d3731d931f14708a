//! The envelopes that core systems put members into.
//!
//! The document names no envelope. A bare member or list is read, and the usual wrappings (`data`, `member`,
//! `members`, `items`, `results`) with the usual words about further pages, so that a campus need not write an adapter.

use serde_json::{Map, Value};

use super::member::Malformed;

/// One page of members, as the core system gave them.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// Its members.
    pub members: Vec<Map<String, Value>>,
    /// Whether the answer says that this is the last page. Where it says nothing, the last page is the one that brings
    /// nothing new.
    pub last: bool,
}

/// A body as JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed(format!("it is not JSON: {error}")))
}

/// The member in an answer about one.
pub(super) fn member(value: Value) -> Result<Map<String, Value>, Malformed> {
    let Value::Object(mut object) = value else { return Err(Malformed("it is not an object".into())) };
    for wrapping in ["data", "member", "result"] {
        if let Some(Value::Object(_)) = object.get(wrapping)
            && let Some(Value::Object(inner)) = object.remove(wrapping)
        {
            return Ok(inner);
        }
    }
    Ok(object)
}

/// The members in an answer about a page.
pub(super) fn page(value: Value, number: u32) -> Result<Page, Malformed> {
    let (list, last) = match value {
        Value::Array(list) => (list, false),
        Value::Object(mut object) => {
            let last = is_last(&object, number);
            let wrapping = ["members", "data", "items", "results"]
                .into_iter()
                .find(|name| object.get(*name).is_some_and(Value::is_array))
                .ok_or_else(|| Malformed("it has no list of members".into()))?;
            match object.remove(wrapping) {
                Some(Value::Array(list)) => (list, last),
                _ => return Err(Malformed("it has no list of members".into())),
            }
        }
        _ => return Err(Malformed("it is neither a list nor an object".into())),
    };
    let members = list
        .into_iter()
        .map(|member| match member {
            Value::Object(member) => Ok(member),
            _ => Err(Malformed("a member in it is not an object".into())),
        })
        .collect::<Result<_, _>>()?;
    Ok(Page { members, last })
}

/// What the answer says about further pages.
fn is_last(object: &Map<String, Value>, number: u32) -> bool {
    let about = ["pagination", "meta"].into_iter().find_map(|name| object.get(name)?.as_object()).unwrap_or(object);
    let more = ["has_more", "has_next", "hasMore", "hasNext"].into_iter().find_map(|name| about.get(name)?.as_bool());
    let pages =
        ["total_pages", "pages", "totalPages", "last_page"].into_iter().find_map(|name| about.get(name)?.as_u64());
    match (more, pages) {
        (Some(more), _) => !more,
        (None, Some(pages)) => u64::from(number) >= pages,
        (None, None) => about.get("next").is_some_and(Value::is_null),
    }
}
