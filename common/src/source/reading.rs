//! A request being read: the body's fields are looked up in one pass where the caller knows them beforehand.
//!
//! Never copies the body.

use bytes::Bytes;
use serde_json::Value;

use super::{
    place::Place,
    pointer::{Pointer, pick},
    refused::Refused,
    request::Request,
};

/// A request, the part of its body that is being read, and the fields that were picked out of it.
pub(super) struct Reading<'r> {
    request: Request<'r>,
    body: &'r Bytes,
    picked: Vec<(Pointer, Option<Value>)>,
}

impl<'r> Reading<'r> {
    /// Reads the whole body; fields are looked up one at a time when asked for.
    pub(super) fn of(request: &Request<'r>) -> Self {
        Self { request: *request, body: request.body, picked: Vec::new() }
    }

    /// Reads `body`, the request's own or one element of it, and picks every field of `places` out of it at once. Where
    /// the body need not be JSON and is none, it has no fields.
    pub(super) fn picking<'p>(
        request: &Request<'r>,
        body: &'r Bytes,
        places: impl Iterator<Item = &'p Place>,
        must_be_json: bool,
    ) -> Result<Self, Refused> {
        let mut pointers: Vec<&Pointer> = Vec::new();
        for place in places {
            if let Place::Field(pointer) = place
                && !pointers.contains(&pointer)
            {
                pointers.push(pointer);
            }
        }
        let values = match pick(body, &pointers) {
            Err(Refused::BodyNotJson { .. }) if !must_be_json => vec![None; pointers.len()],
            picked => picked?,
        };
        Ok(Self { request: *request, body, picked: pointers.into_iter().cloned().zip(values).collect() })
    }

    /// The request.
    pub(super) fn request(&self) -> &Request<'r> {
        &self.request
    }

    /// The bytes being read.
    pub(super) fn body(&self) -> &'r Bytes {
        self.body
    }

    /// What stands at a pointer.
    pub(super) fn field(&self, pointer: &Pointer) -> Result<Option<Value>, Refused> {
        match self.picked.iter().find(|(known, _)| known == pointer) {
            Some((_, value)) => Ok(value.clone()),
            None => Ok(pick(self.body, &[pointer])?.pop().flatten()),
        }
    }
}
