//! A request in parts, and a source from a preset's name.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri, header::HeaderName};
use jiff::Timestamp;

use super::super::{preset, sign::Outgoing, *};

/// A source of this preset with one secret.
pub(super) fn source(name: &str, secret: &str) -> Source {
    let preset = preset::named(name).unwrap();
    Source::new(name, (preset.profile)(), &[secret.into()]).unwrap()
}

/// Seconds since 1970.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A request that owns its parts.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) public_url: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) params: Vec<(Arc<str>, String)>,
    pub(super) body: Bytes,
    pub(super) received_at: Timestamp,
}

impl Asked {
    pub(super) fn new(body: &str, headers: &[(&str, &str)]) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Self {
            method: Method::POST,
            uri: Uri::from_static("/in"),
            public_url: None,
            headers: map,
            params: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: at(1_700_000_000),
        }
    }

    pub(super) fn sent(outgoing: Outgoing, received_at: Timestamp, source: &Source) -> Self {
        let uri: Uri = outgoing.target.parse().unwrap();
        Self {
            method: outgoing.method,
            params: source.path().matches(uri.path()).unwrap(),
            uri,
            public_url: Some("https://example.com/hook".to_owned()),
            headers: outgoing.headers,
            body: outgoing.body,
            received_at,
        }
    }

    pub(super) fn at(mut self, seconds: i64) -> Self {
        self.received_at = at(seconds);
        self
    }

    pub(super) fn to(mut self, uri: &str, public_url: Option<&str>) -> Self {
        self.uri = uri.parse().unwrap();
        self.public_url = public_url.map(str::to_owned);
        self
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            uri: &self.uri,
            public_url: self.public_url.as_deref(),
            headers: &self.headers,
            params: &self.params,
            body: &self.body,
            received_at: self.received_at,
        }
    }

    /// Authenticates with the source's own keys.
    pub(super) fn authentic(&self, source: &Source) -> Result<Authentic, Refused> {
        match source.keys() {
            Keys::Fixed(keys) => source.authenticate(&self.request(), keys),
            Keys::ByTenant => unreachable!("by-tenant sources are tested with keys of their own"),
        }
    }

    /// The one event of the request.
    pub(super) fn identity(&self, source: &Source) -> Result<Identity, Refused> {
        source.identify(&self.request()).map(|mut all| all.pop().unwrap())
    }
}
