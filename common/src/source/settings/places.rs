//! Places as the settings have them: `"header:X-Event"`, `"json:/type"`, `"query:token"`, `"path:id"`, `"bearer"`.

use super::super::{identify::KeyAt, place::Place, pointer::Pointer};
use crate::settings::Reader;

/// How places are written, for a mistake's text.
const FORMS: &str = "\"header:NAME\", \"json:/POINTER\", \"query:NAME\", \"path:NAME\" or \"bearer\"";

/// One place.
pub(super) fn parse(text: &str) -> Option<Place> {
    match text.split_once(':') {
        None if text == "bearer" => Some(Place::Bearer),
        Some(("header", name)) => name.parse().ok().map(Place::Header),
        Some(("json", pointer)) => Pointer::parse(pointer).map(Place::Field),
        Some(("query", name)) if !name.is_empty() => Some(Place::Query(name.into())),
        Some(("path", name)) if !name.is_empty() => Some(Place::Path(name.into())),
        Some(_) | None => None,
    }
}

/// The place under a key.
pub(super) fn the_place(reader: &mut Reader<'_>, key: &str) -> Option<Place> {
    let text = reader.text(key)?;
    let place = parse(&text);
    if place.is_none() {
        reader.fault(key, format!("`{text}` is no place: write {FORMS}"));
    }
    place
}

/// The places under a key, tried in their order.
pub(super) fn places(reader: &mut Reader<'_>, key: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    for text in reader.list(key)? {
        match parse(&text) {
            Some(place) => places.push(place),
            None => reader.fault(key, format!("`{text}` is no place: write {FORMS}")),
        }
    }
    Some(places)
}

/// Ways to come by an idempotency key: places, and `"body-hash"`.
pub(super) fn keys(reader: &mut Reader<'_>, key: &str) -> Option<Vec<KeyAt>> {
    let mut ways = Vec::new();
    for text in reader.list(key)? {
        match (text.as_str(), parse(&text)) {
            ("body-hash", _) => ways.push(KeyAt::BodyHash),
            (_, Some(place)) => ways.push(KeyAt::Place(place)),
            (_, None) => reader.fault(key, format!("`{text}` is no key: write {FORMS}, or \"body-hash\"")),
        }
    }
    Some(ways)
}
