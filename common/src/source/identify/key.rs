//! The idempotency key: where it is found, and what makes it fit for the ledger.
//!
//! A key that is too long or holds a NUL is refused here, because it would fail a whole group commit later.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::{
    place::Place,
    pointer::{Pointer, json_text, not_json},
    reading::Reading,
    refused::Refused,
    verify::Verifier,
};

/// Longest key, in bytes.
pub const KEY_LIMIT: usize = 255;

/// One way to come by a key.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyAt {
    /// What stands there.
    Place(Place),
    /// What stands at all of these, joined by `:`; for ids that are unique only together.
    Joined(Vec<Place>),
    /// SHA-256 of the body.
    BodyHash,
    /// SHA-256 of the body, but only if something stands there (a time), without which equal bodies can be two events.
    BodyHashIf(Place),
    /// SHA-256 of the body without these fields (a token that rotates).
    BodyHashWithout(Vec<Pointer>),
    /// SHA-256 of what the request's token signs: a copy of the request is known again, one that was signed anew is not.
    Token,
}

impl KeyAt {
    pub(super) fn places(&self) -> &[Place] {
        match self {
            Self::Place(place) | Self::BodyHashIf(place) => std::slice::from_ref(place),
            Self::Joined(places) => places,
            Self::BodyHash | Self::BodyHashWithout(_) | Self::Token => &[],
        }
    }

    /// The key and whether the credential covers it.
    fn read(
        &self,
        reading: &Reading<'_>,
        nth: Option<usize>,
        verifier: &Verifier,
    ) -> Result<Option<(String, bool)>, Refused> {
        let hashed = |bytes: &[u8]| (format!("sha256:{}", hex::encode(Sha256::digest(bytes))), verifier.covers_body());
        Ok(match self {
            Self::Place(place) => match place.find(reading)? {
                None => None,
                Some(text) => {
                    let key = fit(place, unquoted(place, &text))?;
                    // One header names a whole array: each element takes its place in it.
                    let key = nth.filter(|_| !place.in_body()).map_or(key.clone(), |nth| format!("{key}#{nth}"));
                    Some((key, verifier.covers(place)))
                }
            },
            Self::Joined(places) => {
                let mut parts = Vec::new();
                for place in places {
                    let Some(text) = place.find(reading)? else { return Ok(None) };
                    parts.push(fit(place, &text)?);
                }
                let key = parts.join(":");
                let covered = places.iter().all(|place| verifier.covers(place));
                if key.len() > KEY_LIMIT { Some((hashed(key.as_bytes()).0, covered)) } else { Some((key, covered)) }
            }
            Self::BodyHash => Some(hashed(reading.body())),
            Self::BodyHashIf(place) => place.find(reading)?.map(|_| hashed(reading.body())),
            Self::BodyHashWithout(pointers) => {
                let mut body: Value = serde_json::from_str(json_text(reading.body())?).map_err(not_json)?;
                pointers.iter().for_each(|pointer| remove(&mut body, pointer.steps()));
                Some(hashed(body.to_string().as_bytes()))
            }
            Self::Token => verifier.token_signed(reading).map(|signed| (hashed(signed.as_bytes()).0, true)),
        })
    }
}

/// The first key that one of `ways` yields.
pub(super) fn read(
    ways: &[KeyAt],
    reading: &Reading<'_>,
    nth: Option<usize>,
    verifier: &Verifier,
) -> Result<(Option<String>, bool), Refused> {
    for way in ways {
        if let Some((key, signed)) = way.read(reading, nth, verifier)? {
            return Ok((Some(key), signed));
        }
    }
    Ok((None, false))
}

/// The IETF draft quotes an `Idempotency-Key`, most senders do not: one pair of quotes makes no difference.
fn unquoted<'t>(place: &Place, text: &'t str) -> &'t str {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|_| matches!(place, Place::Header(_))).unwrap_or(text)
}

fn fit(place: &Place, text: &str) -> Result<String, Refused> {
    let invalid = |why| Err(Refused::KeyInvalid { place: place.to_string(), why });
    if text.is_empty() {
        return invalid("it is empty");
    }
    if text.len() > KEY_LIMIT {
        return invalid("an idempotency key has at most 255 bytes");
    }
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return invalid("an idempotency key is printable ASCII");
    }
    Ok(text.to_owned())
}

fn remove(value: &mut Value, steps: &[String]) {
    match (steps, value) {
        ([last], Value::Object(map)) => drop(map.shift_remove(last)),
        ([next, rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(next) {
                remove(inner, rest);
            }
        }
        (_, _) => {}
    }
}
