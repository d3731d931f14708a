//! `POST /webhooks/test-simulation`: what would a payload do? Verification, normalisation and the handler are run, and
//! nothing is changed, recorded or counted against a source.
//!
//! For operators, who show `ops.operator_token`. The body is
//! `{"source": "NAME", "headers": {…}, "query": "token=…", "params": {…}, "body": {…} or "…", "verify": true}`: a `body`
//! that is text is taken byte for byte, as a signature needs it; `"verify": false` leaves the credentials out. Needs a
//! process that has handlers (`lychgate up`); a gateway alone answers 501.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use lychgate_common::{
    event::{Event, EventId},
    rehearse::Rehearse,
    source::{JSON, Refused, Request, Source},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    house::House,
    ingest,
    refusal::Refusal,
    reply::{self, Reply},
};

/// What is to be tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    source: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    body: Value,
    #[serde(default = "yes")]
    verify: bool,
}

fn yes() -> bool {
    true
}

/// Answers with what would become of the payload.
pub(crate) async fn simulate(house: &House, request: hyper::Request<Incoming>, peer: SocketAddr) -> Reply {
    match tried(house, request, peer).await {
        Ok(found) => reply::json(StatusCode::OK, &found),
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    }
}

async fn tried(house: &House, request: hyper::Request<Incoming>, peer: SocketAddr) -> Result<Value, Refusal> {
    let address = ingest::client(peer.ip(), request.headers(), &house.settings.gateway.trusted_proxies);
    house.throttle.admit(address)?;
    let operator = house.settings.ops.operator_token.as_ref().ok_or(Refusal::SimulationOff)?;
    let offered = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let offered = offered.ok_or(Refusal::Source(Refused::TokenMissing))?;
    if !operator.matches(offered.trim().as_bytes()) {
        house.throttle.failed(address);
        return Err(Refusal::Source(Refused::TokenWrong));
    }
    let rehearse = house.rehearse.as_ref().ok_or(Refusal::NoHandlers)?;
    let body = ingest::read(request.into_body(), None, house.settings.gateway.max_body.bytes(), house).await?;
    let trial: Trial = serde_json::from_slice(&body)
        .map_err(|error| Refusal::Source(Refused::BodyNotJson { why: error.to_string() }))?;
    let routes = house.routes.load();
    let source = routes.source(&trial.source).ok_or_else(|| wrong("/source", "no source has this name"))?;
    walk(house, source, &trial, rehearse.as_ref()).await
}

async fn walk(house: &House, source: &Source, trial: &Trial, rehearse: &dyn Rehearse) -> Result<Value, Refusal> {
    let param = |name: &str| trial.params.get(name).cloned().unwrap_or_else(|| "simulation".to_owned());
    let between = if trial.query.is_empty() { "" } else { "?" };
    let target = format!("{}{between}{}", source.path().filled(param), trial.query);
    let uri: Uri = target.parse().map_err(|_| wrong("/query", "path and query are no URL"))?;
    let params: Vec<(Arc<str>, String)> = source.path().params().map(|name| (Arc::clone(name), param(name))).collect();
    let headers = headers(trial)?;
    let public_url = house.settings.gateway.public_url.as_ref();
    let of_all = public_url.map(|base| format!("{}{target}", base.as_str().trim_end_matches('/')));
    let public_url = source.public_url().map(str::to_owned).or(of_all);
    let body = match &trial.body {
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        other => Bytes::from(other.to_string()),
    };
    let method = source.methods().first().cloned().unwrap_or(Method::POST);
    let request = Request {
        method: &method,
        uri: &uri,
        public_url: public_url.as_deref(),
        headers: &headers,
        params: &params,
        body: &body,
        received_at: house.clock.now(),
    };
    let mut said = json!({ "source": **source.name(), "changed": false });
    match found(house, source, trial, &request, rehearse).await {
        Ok(found) => put(&mut said, found),
        Err(refusal) => {
            let answer =
                json!({ "status": refusal.status().as_u16(), "reason": refusal.name(), "detail": refusal.detail() });
            put(&mut said, json!({ "outcome": "refused", "answer": answer }));
        }
    }
    Ok(said)
}

/// Verification, handshakes, normalisation, the handler: as a webhook would meet them.
async fn found(
    house: &House,
    source: &Source,
    trial: &Trial,
    request: &Request<'_>,
    rehearse: &dyn Rehearse,
) -> Result<Value, Refusal> {
    let mut payload = None;
    let mut campus = None;
    let verification = if trial.verify {
        source.require_credentials(request)?;
        let (verified, found) = ingest::verify(house, source, request).await?;
        let authentic = verified?;
        (payload, campus) = (authentic.payload, found);
        json!({ "result": "verified", "secret": authentic.secret })
    } else {
        json!({ "result": "skipped" })
    };
    let request = Request { body: payload.as_ref().unwrap_or(request.body), ..*request };
    if let Some(handshake) = source.handshake(&request) {
        let answer = json!({ "status": handshake.status.as_u16() });
        return Ok(json!({
            "outcome": "answered", "verification": verification, "handshake": handshake.name, "answer": answer,
        }));
    }
    let mut events = Vec::new();
    for identity in source.identify(&request)? {
        let tenant = campus.as_ref().map_or(identity.tenant, |campus| Arc::from(campus.id.to_string()));
        let event = Event {
            id: EventId::new(request.received_at),
            source: Arc::clone(source.name()),
            preset: Arc::clone(source.preset()),
            tenant,
            kind: identity.kind,
            subject: identity.subject,
            occurred_at: identity.occurred_at,
            received_at: request.received_at,
            body: identity.body,
        };
        events.push(json!({
            "type": *event.kind,
            "key": identity.key,
            "tenant": *event.tenant,
            "subject": event.subject.as_deref(),
            "occurred_at": event.occurred_at,
            "rehearsal": rehearse.rehearse(&event).await,
        }));
    }
    Ok(json!({ "outcome": "accepted", "verification": verification, "events": events }))
}

fn headers(trial: &Trial) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    for (name, value) in &trial.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong("/headers", "a name is no header's"))?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| wrong("/headers", "a value is no header's"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn put(said: &mut Value, more: Value) {
    if let (Value::Object(said), Value::Object(more)) = (said, more) {
        said.extend(more);
    }
}

fn wrong(pointer: &'static str, why: &'static str) -> Refusal {
    Refusal::Source(Refused::FieldWrong { pointer: pointer.into(), why: why.into() })
}
