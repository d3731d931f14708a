//! Asks a sender's interface for the one key that a request's token names, with our credentials.
//!
//! Once for a crowd, and not again before the cool-down has passed. The question holds a secret: it is never logged, and
//! goes to the address in the settings only.

use std::time::Instant;

use bytes::Bytes;
use hyper::{Request, StatusCode, header};
use lychgate_common::source::{self, Found, KeyApi, Source};

use super::{DEADLINE, Failed, KeySets};

impl KeySets {
    /// Fetches the key that this request cannot be judged without, or that has not been asked for in a while.
    pub(super) async fn handed_out(&self, source: &Source, request: &source::Request<'_>) {
        let Some((api, kid)) = source.key_wanted(request) else { return };
        if api.has(&kid, Instant::now()) {
            return;
        }
        let _asking = match api.key(&kid) {
            Found::Good(_) => match api.gate().try_lock() {
                Ok(gate) => gate,
                // Somebody is asking already, and the old key is still good.
                Err(_) => return,
            },
            Found::Useless | Found::Unreachable => api.gate().lock().await,
        };
        // Whoever held the gate may have asked for all that wait here.
        if api.has(&kid, Instant::now()) || !api.due(&kid, Instant::now()) {
            return;
        }
        api.asking(&kid, Instant::now());
        let answered = tokio::time::timeout(DEADLINE, self.ask(api, &kid)).await.unwrap_or(Err(Failed::Slow));
        match answered.map(|key| api.answered(&kid, &key, Instant::now())) {
            Ok(Ok(())) => tracing::info!(source = %source.name(), url = %api.url(), kid, "key fetched"),
            Ok(Err(fault)) => {
                tracing::warn!(source = %source.name(), url = %api.url(), kid, %fault, "the key is of no use");
            }
            Err(error) => tracing::warn!(source = %source.name(), url = %api.url(), kid, %error, "no key"),
        }
    }

    async fn ask(&self, api: &KeyApi, kid: &str) -> Result<Bytes, Failed> {
        let request = Request::post(api.url().as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(api.question(kid).into())?;
        let (status, body) = self.answer(request).await?;
        if status != StatusCode::OK {
            api.refused(kid, &body);
            return Err(Failed::Status(status));
        }
        Ok(body)
    }
}
