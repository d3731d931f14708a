//! Fetches senders' keys, key sets and certificates when a request cannot be judged without: with the confirmation of a
//! topic's subscription, the only things that the gateway ever calls.
//!
//! Small, prompt, without redirects, and from addresses in the settings or on hosts of a preset only, which are https (or
//! loopback, for those who say so). A failure is logged once and delays nobody again before the cool-down has passed.

mod certificates;
mod handed_out;
mod subscriptions;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Request, StatusCode, header, header::HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lychgate_common::source::{self, Due, SET_LIMIT, Source};
use thiserror::Error;

/// The sender waits meanwhile: a third of what Canvas allows.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whom senders see asking.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Lychgate/", env!("CARGO_PKG_VERSION")));

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The client for key servers.
#[derive(Clone, Debug)]
pub(crate) struct KeySets {
    client: Option<HttpClient>,
}

/// No key set.
#[derive(Debug, Error)]
enum Failed {
    #[error("TLS is not available in this process")]
    NoTls,
    #[error("its address cannot be called: {0}")]
    Address(#[from] hyper::http::Error),
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("its answer is larger than {SET_LIMIT} bytes")]
    TooLarge,
    #[error("its answer broke off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    #[error("it did not answer within {} s", DEADLINE.as_secs())]
    Slow,
}

impl KeySets {
    pub(crate) fn new() -> Self {
        Self {
            client: client().inspect_err(|error| tracing::error!(%error, "no TLS: key sets cannot be fetched")).ok(),
        }
    }

    /// Brings the source's keys up to date where this request needs it.
    pub(crate) async fn refresh(&self, source: &Source, request: &source::Request<'_>) {
        self.certificate(source, request).await;
        self.handed_out(source, request).await;
        let Some((server, due)) = source.keys_due(request, std::time::Instant::now()) else { return };
        let _asking = match due {
            Due::Unknown | Due::Asked => server.gate().lock().await,
            Due::Stale => match server.gate().try_lock() {
                Ok(gate) => gate,
                // Somebody is asking already, and the old keys are still good.
                Err(_) => return,
            },
        };
        let still = source.keys_due(request, std::time::Instant::now());
        if still.is_none_or(|(_, due)| due == Due::Asked) {
            return;
        }
        server.asking(std::time::Instant::now());
        let fetched = tokio::time::timeout(DEADLINE, self.fetch(server.url().as_str(), "application/json")).await;
        match fetched.unwrap_or(Err(Failed::Slow)).map(|set| server.answered(&set, std::time::Instant::now())) {
            Ok(Ok(())) => tracing::info!(source = %source.name(), url = %server.url(), "key set fetched"),
            Ok(Err(fault)) => {
                tracing::warn!(source = %source.name(), url = %server.url(), %fault, "the key set is of no use");
            }
            Err(error) => {
                server.failed();
                tracing::warn!(source = %source.name(), url = %server.url(), %error, "no key set");
            }
        }
    }

    async fn fetch(&self, url: &str, accept: &'static str) -> Result<Bytes, Failed> {
        match self.answer(Request::get(url).header(header::ACCEPT, accept).body(Full::default())?).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(Failed::Status(status)),
        }
    }

    /// The status, and the body up to its limit.
    async fn answer(&self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failed> {
        let client = self.client.as_ref().ok_or(Failed::NoTls)?;
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        let response = client.request(request).await?;
        let status = response.status();
        match Limited::new(response.into_body(), SET_LIMIT).collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            // What it says beside its refusal is no reason to forget that it refused.
            Err(_) if status != StatusCode::OK => Ok((status, Bytes::new())),
            Err(error) if error.is::<LengthLimitError>() => Err(Failed::TooLarge),
            Err(error) => Err(Failed::Broken(error)),
        }
    }
}

fn client() -> std::io::Result<HttpClient> {
    let mut roots = rustls::RootCertStore::empty();
    // Without any, only a loopback server without TLS can be asked.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

#[cfg(test)]
mod tests;
