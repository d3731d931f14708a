//! Where in a request a value stands: a header, a query parameter, a field of the body, the path, a bearer token.
//!
//! A header or parameter that stands twice is refused, never chosen from.

use std::{borrow::Cow, fmt, sync::Arc};

use hyper::header::{AUTHORIZATION, HeaderName};
use serde_json::Value;

use super::{pointer::Pointer, reading::Reading, refused::Refused, request::Request};

/// Longest value that is read from a header or query parameter, in bytes. Generous: ten RSA signatures fit.
pub const VALUE_LIMIT: usize = 8 * 1024;

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header, by name.
    Header(HeaderName),
    /// A query parameter, by name.
    Query(Arc<str>),
    /// A field of a JSON body.
    Field(Pointer),
    /// A parameter of the path, by name.
    Path(Arc<str>),
    /// `Authorization: Bearer …`.
    Bearer,
}

impl Place {
    /// A header, for presets: the name must be lower case.
    pub const fn header(name: &'static str) -> Self {
        Self::Header(HeaderName::from_static(name))
    }

    /// A field of the body, for presets.
    pub fn field(pointer: &'static str) -> Self {
        Self::Field(Pointer::literal(pointer))
    }

    /// Whether the value stands in the body, which a signature over the body then covers.
    pub fn in_body(&self) -> bool {
        matches!(self, Self::Field(_))
    }

    /// What stands here; `None` for nothing or an empty value.
    pub(super) fn find<'r>(&self, reading: &Reading<'r>) -> Result<Option<Cow<'r, str>>, Refused> {
        let request = reading.request();
        let found = match self {
            Self::Header(name) => one_header(request, name)?.map(Cow::Borrowed),
            Self::Bearer => one_header(request, &AUTHORIZATION)?.and_then(bearer).map(Cow::Borrowed),
            Self::Query(name) => self.one_parameter(request, name)?,
            Self::Path(name) => {
                request.params.iter().find(|(param, _)| param == name).map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
            Self::Field(pointer) => reading.field(pointer)?.as_ref().and_then(scalar).map(Cow::Owned),
        };
        match found {
            Some(value) if value.len() > VALUE_LIMIT => Err(self.wrong("it is too long")),
            Some(value) if value.is_empty() => Ok(None),
            other => Ok(other),
        }
    }

    fn one_parameter<'r>(&self, request: &Request<'r>, name: &str) -> Result<Option<Cow<'r, str>>, Refused> {
        let query = request.uri.query().unwrap_or_default();
        let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value);
        if values.next().is_some() {
            return Err(self.wrong("it is given more than once"));
        }
        Ok(first)
    }

    pub(super) fn missing(&self) -> Refused {
        match self {
            Self::Field(pointer) => pointer.missing(),
            Self::Header(_) | Self::Query(_) | Self::Path(_) | Self::Bearer => {
                Refused::PartMissing { place: self.to_string() }
            }
        }
    }

    pub(super) fn wrong(&self, why: impl Into<Cow<'static, str>>) -> Refused {
        match self {
            Self::Field(pointer) => pointer.wrong(why),
            Self::Header(_) | Self::Query(_) | Self::Path(_) | Self::Bearer => {
                Refused::PartWrong { place: self.to_string(), why: why.into() }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "{name} header"),
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Field(pointer) => write!(f, "payload field {pointer}"),
            Self::Path(name) => write!(f, "path parameter `{name}`"),
            Self::Bearer => f.write_str("bearer token"),
        }
    }
}

/// The first place of several that holds something.
pub(super) fn first<'p, 'r>(
    places: &'p [Place],
    reading: &Reading<'r>,
) -> Result<Option<(&'p Place, Cow<'r, str>)>, Refused> {
    for place in places {
        if let Some(value) = place.find(reading)? {
            return Ok(Some((place, value)));
        }
    }
    Ok(None)
}

/// A JSON scalar as text; objects, arrays and null are no value.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn one_header<'r>(request: &Request<'r>, name: &HeaderName) -> Result<Option<&'r str>, Refused> {
    let mut values = request.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |why: &'static str| Refused::PartWrong { place: format!("{name} header"), why: why.into() };
    if values.next().is_some() {
        return Err(wrong("it is sent more than once"));
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| wrong("it holds bytes that are not printable ASCII"))
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
