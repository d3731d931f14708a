//! The string that is signed, as a template: `{ts}.{body}`.
//!
//! Rendered piece by piece into whatever takes the bytes, so that a large body is never copied for an HMAC.

use std::{borrow::Cow, sync::Arc};

use hyper::header::HeaderName;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    place::Place,
    pointer::Pointer,
    public_url::{UrlForm, digest_in_url},
    reading::Reading,
    refused::Refused,
};

/// A template that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// A placeholder nobody knows.
    #[error(
        "`{{{0}}}` is no placeholder; known are {{body}}, {{ts}}, {{id}}, {{url}}, {{method}}, {{header:NAME}}, {{json:/POINTER}}, {{form_sorted}}, {{sha256_hex}}"
    )]
    Unknown(String),
    /// A brace without its partner.
    #[error("a `{{` is not closed")]
    Open,
    /// Neither the body nor a digest of it is signed.
    #[error("the body must be signed: use {{body}} or {{sha256_hex}}")]
    BodyUnsigned,
}

/// One piece of the signed string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Literal bytes.
    Text(Arc<str>),
    /// The raw body.
    Body,
    /// The timestamp's text, as it was sent.
    Time,
    /// The message id's text, as it was sent.
    Id,
    /// The public URL from the settings, with the request's query where it has one.
    Url(UrlForm),
    /// The method.
    Method,
    /// A header's value.
    Header(HeaderName),
    /// A field of the body.
    Field(Pointer),
    /// A field of the body, or nothing where it is not there (Adyen).
    FieldOrNothing(Pointer),
    /// Form parameters sorted by name, each name followed by its value (Twilio).
    FormSorted,
    /// The same; but where the URL holds `bodySHA256`, that must be the body's digest, and nothing follows (Twilio's JSON).
    FormOrDigest,
    /// SHA-256 of the body in lower-case hex.
    BodyDigest,
}

impl Piece {
    /// Literal text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A signed string's recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Arc<[Piece]>);

impl Template {
    /// From pieces, for presets.
    pub fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self(pieces.into_iter().collect())
    }

    /// The commonest recipe: the body alone.
    pub fn body() -> Self {
        Self::of([Piece::Body])
    }

    /// Reads a template as a user writes it. The body must be part of it.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, tail)) = rest.split_once('{') {
            if !literal.is_empty() {
                pieces.push(Piece::text(literal));
            }
            let (name, tail) = tail.split_once('}').ok_or(TemplateFault::Open)?;
            pieces.push(placeholder(name)?);
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::text(rest));
        }
        let template = Self::of(pieces);
        if template.signs_body() { Ok(template) } else { Err(TemplateFault::BodyUnsigned) }
    }

    /// Whether the signature covers the whole body.
    pub fn signs_body(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Body | Piece::BodyDigest))
    }

    /// Whether the signature covers what stands at `place`.
    pub fn covers(&self, place: &Place) -> bool {
        self.0.iter().any(|piece| match (piece, place) {
            (Piece::Body | Piece::BodyDigest, Place::Field(_)) => true,
            (Piece::Field(signed) | Piece::FieldOrNothing(signed), Place::Field(sought)) => signed == sought,
            (Piece::Header(signed), Place::Header(sought)) => signed == sought,
            (Piece::Url(_), Place::Query(_) | Place::Path(_)) => true,
            (_, _) => false,
        })
    }

    pub(super) fn uses(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }

    /// Gives the signed string to `take`, piece by piece. `time` and `id` are the texts as they were sent.
    pub(super) fn render(
        &self,
        reading: &Reading<'_>,
        time: Option<&str>,
        id: Option<&str>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Refused> {
        let request = reading.request();
        for piece in self.0.iter() {
            match piece {
                Piece::Text(text) => take(text.as_bytes()),
                Piece::Body => take(reading.body()),
                Piece::Time => take(time.unwrap_or_default().as_bytes()),
                Piece::Id => take(id.unwrap_or_default().as_bytes()),
                Piece::Url(form) => take(form.of(reading)?.as_bytes()),
                Piece::Method => take(request.method.as_str().as_bytes()),
                Piece::Header(name) => take(required(&Place::Header(name.clone()), reading)?.as_bytes()),
                Piece::Field(pointer) => take(required(&Place::Field(pointer.clone()), reading)?.as_bytes()),
                Piece::FieldOrNothing(pointer) => {
                    if let Some(text) = Place::Field(pointer.clone()).find(reading)? {
                        take(text.as_bytes());
                    }
                }
                Piece::FormSorted => form_sorted(reading, take),
                Piece::FormOrDigest => match digest_in_url(reading)? {
                    Some(true) => {}
                    Some(false) => return Err(Refused::SignatureWrong),
                    None => form_sorted(reading, take),
                },
                Piece::BodyDigest => take(hex::encode(Sha256::digest(reading.body())).as_bytes()),
            }
        }
        Ok(())
    }
}

fn required<'r>(place: &Place, reading: &Reading<'r>) -> Result<Cow<'r, str>, Refused> {
    place.find(reading)?.ok_or_else(|| place.missing())
}

/// A parameter that is sent twice with one value counts once, as in Twilio's own libraries.
fn form_sorted(reading: &Reading<'_>, take: &mut dyn FnMut(&[u8])) {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(reading.body()).collect();
    pairs.sort();
    pairs.dedup();
    for (name, value) in pairs {
        take(name.as_bytes());
        take(value.as_bytes());
    }
}

fn placeholder(name: &str) -> Result<Piece, TemplateFault> {
    let unknown = || TemplateFault::Unknown(name.to_owned());
    Ok(match name {
        "body" => Piece::Body,
        "ts" => Piece::Time,
        "id" => Piece::Id,
        "url" => Piece::Url(UrlForm::AsGiven),
        "method" => Piece::Method,
        "form_sorted" => Piece::FormSorted,
        "sha256_hex" => Piece::BodyDigest,
        other => match other.split_once(':') {
            Some(("header", header)) => Piece::Header(header.parse().map_err(|_| unknown())?),
            Some(("json", pointer)) => Piece::Field(Pointer::parse(pointer).ok_or_else(unknown)?),
            Some(_) | None => return Err(unknown()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_reads_as_it_is_written() {
        let template = Template::parse("v1:{ts}:{body}").unwrap();
        let pieces = [Piece::text("v1:"), Piece::Time, Piece::text(":"), Piece::Body];
        assert_eq!(template, Template::of(pieces));
    }

    #[test]
    fn a_template_that_leaves_the_body_unsigned_is_refused() {
        assert_eq!(Template::parse("{ts}"), Err(TemplateFault::BodyUnsigned));
        assert_eq!(Template::parse("{ts"), Err(TemplateFault::Open));
        assert_eq!(Template::parse("{body}{when}"), Err(TemplateFault::Unknown("when".into())));
    }
}
