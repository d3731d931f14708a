//! What the ops listener answers.
//!
//! Three pages and a refusal; nothing here changes anything.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde_json::{Map, Value, json};

use super::{Ops, State};
use crate::telemetry;

/// Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Ops {
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "only GET and HEAD"}));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/livez" => page(StatusCode::OK, &json!({"status": "up"})),
            "/readyz" => self.ready().await,
            "/metrics" => self.scrape(),
            _ => page(StatusCode::NOT_FOUND, &json!({"detail": "there are /livez, /readyz and /metrics"})),
        }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let mut checks = self.health.ask().await;
        for (name, state) in &checks {
            self.metrics.check.with([name]).set(state.level());
        }
        if self.stop.is_stopping() {
            checks.push(("process", State::Down("stopping".to_owned())));
        }
        let is = |level: f64| checks.iter().any(|(_, state)| state.level() <= level);
        let (status, word) = match (is(0.0), is(0.5)) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "down"),
            (false, true) => (StatusCode::OK, "degraded"),
            (false, false) => (StatusCode::OK, "up"),
        };
        let checks: Map<String, Value> = checks
            .iter()
            .map(|(name, state)| ((*name).to_owned(), json!({"state": state.name(), "reason": state.reason()})))
            .collect();
        page(
            status,
            &json!({"status": word, "version": telemetry::VERSION, "build": telemetry::BUILD, "checks": checks}),
        )
    }

    fn scrape(&self) -> Response<Full<Bytes>> {
        self.metrics.stopping.with([]).set(f64::from(u8::from(self.stop.is_stopping())));
        match self.registry.text() {
            Ok(text) => answer(StatusCode::OK, METRICS_TYPE, text),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be shown");
                page(StatusCode::INTERNAL_SERVER_ERROR, &json!({"detail": "the metrics cannot be shown: see the log"}))
            }
        }
    }
}

fn page(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    answer(status, "application/json", format!("{body}\n"))
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
