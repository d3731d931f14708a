//! Fetches a sender's certificate from the address that its request names.
//!
//! The source has held the address against its sender's hosts; here it is asked once for a crowd, and not again before
//! the cool-down has passed.

use std::time::Instant;

use hyper::StatusCode;
use lychgate_common::source::{self, Source};

use super::{DEADLINE, Failed, KeySets};

impl KeySets {
    /// Fetches the certificate that this request cannot be judged without.
    pub(super) async fn certificate(&self, source: &Source, request: &source::Request<'_>) {
        let Some((certificates, address)) = source.certificate_wanted(request) else { return };
        // Whoever is asking already asks for all that wait here.
        let _asking = certificates.gate().lock().await;
        if certificates.has(&address, request.received_at) || !certificates.due(&address, Instant::now()) {
            return;
        }
        certificates.asking(&address, Instant::now());
        let fetched = tokio::time::timeout(DEADLINE, self.fetch(address.as_str(), "*/*")).await;
        match fetched.unwrap_or(Err(Failed::Slow)).map(|pem| certificates.answered(&address, &pem)) {
            Ok(Ok(())) => tracing::info!(source = %source.name(), url = %address, "certificate fetched"),
            Ok(Err(fault)) => {
                tracing::warn!(source = %source.name(), url = %address, %fault, "the certificate is of no use");
            }
            Err(error) => {
                certificates.failed(&address, error.is_final());
                tracing::warn!(source = %source.name(), url = %address, %error, "no certificate");
            }
        }
    }
}

impl Failed {
    /// Whether the server has said that there is no certificate, so that the sender's request is at fault and not the
    /// moment.
    fn is_final(&self) -> bool {
        match self {
            Self::Status(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => false,
            Self::Status(status) => !status.is_server_error(),
            Self::TooLarge | Self::Address(_) => true,
            Self::NoTls | Self::Unreachable(_) | Self::Broken(_) | Self::Slow => false,
        }
    }
}
