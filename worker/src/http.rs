//! The one HTTP client of the worker: bounded in time and in bytes, follows no redirect, says what it calls.
//!
//! It knows nothing of what is fetched or why. Breakers and verdicts are the callers'.

mod destination;

use std::{future::Future, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;

use self::destination::Resolver;
pub use self::destination::{Destinations, Forbidden};

/// What a call says it is.
const USER_AGENT: &str = concat!("Lychgate/", env!("CARGO_PKG_VERSION"));
/// Idle connections are closed before most servers' 60 s, so that a call seldom meets a closing one.
const IDLE: Duration = Duration::from_secs(30);

/// How long and how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// For the whole exchange, the answer's last byte included.
    pub total: Duration,
    /// Bytes of the answer's body.
    pub body: usize,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// What its `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// Where its `Location` points; not followed.
    pub location: Option<String>,
    /// Its body.
    pub body: Bytes,
}

/// No usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The request cannot be written: the URL or a header is not one.
    #[error("the request cannot be made: {0}")]
    Request(#[source] hyper::http::Error),
    /// The address is none that we may call.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The address cannot be reached.
    #[error("no connection: {0}")]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The time is over.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// A pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    destinations: Destinations,
}

impl Http {
    /// A client that waits `connect` for a new connection, calls only `destinations`, and trusts the system's
    /// certificates.
    ///
    /// # Errors
    /// Where TLS itself cannot be set up.
    pub fn new(connect: Duration, destinations: Destinations) -> io::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        // A machine without certificates can still call plain http within its own network.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new_with_resolver(Resolver(destinations.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, destinations })
    }

    /// Sends a request as it is, our `User-Agent` added where it has none, and reads no more of the answer than the limit: what is over is
    /// left unread, because only the status counts.
    ///
    /// # Errors
    /// [`HttpError`]; any status is an answer, a redirect too.
    pub async fn deliver(
        &self,
        mut request: Request<Full<Bytes>>,
        limits: HttpLimits,
        now: Timestamp,
    ) -> Result<Answer, HttpError> {
        self.destinations.check_literal(request.uri())?;
        let ours = header::HeaderValue::from_static(USER_AGENT);
        request.headers_mut().entry(header::USER_AGENT).or_insert(ours);
        self.within(limits, self.exchange(request, limits.body, Over::Left, now)).await
    }

    /// `GET uri`, with a bearer token where one is given.
    ///
    /// # Errors
    /// [`HttpError`]; any status is an answer.
    pub async fn get(
        &self,
        uri: &Uri,
        bearer: Option<&str>,
        limits: HttpLimits,
        now: Timestamp,
    ) -> Result<Answer, HttpError> {
        self.destinations.check_literal(uri)?;
        let mut request =
            Request::get(uri).header(header::USER_AGENT, USER_AGENT).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            let mut value = header::HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|error| HttpError::Request(error.into()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Full::default()).map_err(HttpError::Request)?;
        self.within(limits, self.exchange(request, limits.body, Over::Refused, now)).await
    }

    async fn within(
        &self,
        limits: HttpLimits,
        exchange: impl Future<Output = Result<Answer, HttpError>>,
    ) -> Result<Answer, HttpError> {
        match tokio::time::timeout(limits.total, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut(limits.total)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
        over: Over,
        now: Timestamp,
    ) -> Result<Answer, HttpError> {
        let response = self.client.request(request).await.map_err(|error| match Forbidden::beneath(&error) {
            Some(forbidden) => HttpError::Forbidden(forbidden),
            None if error.is_connect() => HttpError::Connect(error),
            None => HttpError::Broken(error.into()),
        })?;
        let status = response.status();
        let retry_after = retry_after(&response, now);
        let location =
            response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = read(response.into_body(), limit, over).await?;
        Ok(Answer { status, retry_after, location, body })
    }
}

/// What is done about an answer that is larger than the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    /// Half an answer is none.
    Refused,
    /// Its beginning will do.
    Left,
}

async fn read(mut body: Incoming, limit: usize, over: Over) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HttpError::Broken(error.into()))?;
        let Ok(mut data) = frame.into_data() else { continue };
        if read.len() + data.len() > limit {
            if over == Over::Refused {
                return Err(HttpError::TooLarge(limit));
            }
            data.truncate(limit - read.len());
            read.extend_from_slice(&data);
            break;
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after<B>(response: &Response<B>, now: Timestamp) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2015-10-21T07:27:30Z".parse().unwrap();
        let read = |text: &str| retry_after(&Response::builder().header("Retry-After", text).body(()).unwrap(), now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
