//! A small HTTP client: one request, one whole answer, within a deadline.

use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lychgate_common::source::sign::Outgoing;
use serde::Deserialize;
use url::Url;

/// The longest that a gateway lets a sender wait is a minute.
const DEADLINE: Duration = Duration::from_secs(70);
/// Answers are short; more than this is not our gateway.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Which event an answer is about.
const EVENT: &str = "lychgate-event-id";

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it is about an event that was accepted: a refusal names none.
    pub(super) fn is_outcome(&self) -> bool {
        self.headers.contains_key(EVENT)
    }

    /// The events that it names: one in its header, those of a request of several in its body.
    pub(super) fn events(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Several {
            ids: Vec<String>,
        }
        match self.header(EVENT) {
            Some(event) => vec![event.to_owned()],
            None if self.status.is_success() => {
                serde_json::from_slice(&self.body).map_or_else(|_| Vec::new(), |Several { ids }| ids)
            }
            None => Vec::new(),
        }
    }
}

/// A client that reuses its connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// Trusts the system's certificates.
    pub(super) fn new() -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .context("the system's certificates cannot be read")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends a signed request to its place on the gateway at `base`.
    pub(super) async fn send(&self, base: &Url, outgoing: Outgoing) -> anyhow::Result<Reply> {
        let url = join(base, &outgoing.target);
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no address"))?;
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.headers;
        let answer = async {
            let (head, body) = self.0.request(request).await.map_err(|error| away(&url, &error))?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|error| anyhow!(error))?;
            anyhow::Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(DEADLINE, answer).await.map_err(|_| anyhow!("no answer from {url} in {DEADLINE:?}"))?
    }
}

/// The address of a path on a gateway whose own address may have a path, too.
pub(super) fn join(base: &Url, target: &str) -> String {
    format!("{}{target}", base.as_str().trim_end_matches('/'))
}

/// Nobody there, in words that help.
fn away(url: &str, error: &hyper_util::client::legacy::Error) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(beneath) = cause.source() {
        cause = beneath;
    }
    anyhow!("{url} does not answer: {cause} (is `lychgate up` running? another address: --url)")
}
