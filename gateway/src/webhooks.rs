//! `/v2/webhooks`: managing who is told of which events (document D), for callers who show an API key.
//!
//! Checks that it is one of `webhooks.api_keys`, reads what was sent, and leaves the rest to the desk, which the command
//! line has, too. Never logs a key or a secret.

mod page;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
};
use lychgate_common::{
    event::EventId,
    source::{ContentTypes, Refused},
    webhook::{Desk, Slip, WebhookError, WebhookRefused, limit},
};
use serde_json::{Value, json};
use url::form_urlencoded;

pub(crate) use self::page::Page;
use crate::{
    house::House,
    ingest,
    refusal::Refusal,
    reply::{self, Reply},
};

/// A webhook's description with a hundred filters; more is nobody's.
const BODY: usize = 64 << 10;

/// Does what was asked, or says why not.
pub(crate) async fn manage(house: &House, page: Page<'_>, request: Request<Incoming>, peer: SocketAddr) -> Reply {
    match managed(house, page, request, peer).await {
        Ok(reply) => reply,
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    }
}

async fn managed(
    house: &House,
    page: Page<'_>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Reply, Refusal> {
    let (head, body) = request.into_parts();
    let address = ingest::client(peer.ip(), &head.headers, &house.settings.gateway.trusted_proxies);
    house.throttle.admit(address)?;
    let actor = caller(house, &head.headers).inspect_err(|refusal| {
        if *refusal == Refusal::Source(Refused::TokenWrong) {
            house.throttle.failed(address);
        }
    })?;
    let body = match head.method {
        Method::POST | Method::PUT => ingest::read(body, None, BODY, house).await?,
        _ => Bytes::new(),
    };
    let asked = Asked { method: &head.method, uri: &head.uri, headers: &head.headers, body, actor };
    asked.of(&house.desk, page).await.map_err(|error| match error {
        Trouble::Refused(refusal) => refusal,
        Trouble::Webhook(WebhookError::Refused(refused)) => Refusal::Webhook(refused),
        Trouble::Webhook(error @ (WebhookError::Store(_) | WebhookError::Vault(_))) => {
            tracing::error!(%error, "a webhook could not be shown or changed");
            Refusal::Unavailable
        }
    })
}

/// Whose key was shown, for the audit.
fn caller(house: &House, headers: &HeaderMap) -> Result<String, Refusal> {
    let keys = &house.settings.webhooks.api_keys;
    if keys.is_empty() {
        return Err(Refusal::WebhooksOff);
    }
    let offered = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let offered = offered.ok_or(Refusal::Source(Refused::TokenMissing))?.trim().as_bytes();
    // Every key is compared, whichever fits.
    let fitting = keys.iter().filter(|key| key.matches(offered)).fold(None, |_, key| Some(key));
    let key = fitting.ok_or(Refusal::Source(Refused::TokenWrong))?;
    Ok(format!("API key {}", key.label()))
}

/// Why it was not done.
enum Trouble {
    Refused(Refusal),
    Webhook(WebhookError),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<WebhookError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Webhook(error.into())
    }
}

/// A request of somebody who may ask.
struct Asked<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: Bytes,
    actor: String,
}

impl Asked<'_> {
    async fn of(&self, desk: &Desk, page: Page<'_>) -> Result<Reply, Trouble> {
        let actor = self.actor.as_str();
        let ok = |body: &Value| Ok(reply::json(StatusCode::OK, body));
        match (page, self.method) {
            (Page::All, &Method::POST) => {
                let created = desk.create(&self.json()?, actor).await?;
                let location = format!("/v2/webhooks/{}", created.webhook.id);
                let mut body = shown(&created.webhook);
                put(&mut body, "secret", created.secret.expose_str());
                let mut reply = secret(StatusCode::CREATED, &body);
                // An id is letters and digits.
                if let Ok(location) = HeaderValue::try_from(location) {
                    reply.headers_mut().insert(LOCATION, location);
                }
                Ok(reply)
            }
            (Page::All, _) => {
                let limit = self.limit()?;
                let all = desk.list(limit, self.query("before").as_deref()).await?;
                let next = if all.len() == usize::try_from(limit).unwrap_or(0) { all.last() } else { None };
                ok(&json!({ "webhooks": all, "next": next.map(|last| &last.id) }))
            }
            (Page::Test, _) => {
                let asked = self.json()?;
                let (webhook, event) = (text(&asked, "webhook_id"), text(&asked, "event"));
                let (Ok(webhook), Ok(event)) = (&webhook, &event) else {
                    let slips = [webhook.err(), event.err()].into_iter().flatten().collect();
                    return Err(WebhookRefused::Input(slips).into());
                };
                let sent = desk.test(webhook, event, actor).await?;
                Ok(reply::json(StatusCode::ACCEPTED, &shown(&sent)))
            }
            (Page::One(id), &Method::PUT) => ok(&shown(&desk.update(id, &self.json()?, actor).await?)),
            (Page::One(id), &Method::DELETE) => {
                desk.delete(id, actor).await?;
                let mut reply = Reply::default();
                *reply.status_mut() = StatusCode::NO_CONTENT;
                Ok(reply)
            }
            (Page::One(id), _) => ok(&shown(&desk.show(id).await?)),
            (Page::RotateSecret(id), _) => {
                let rotated = desk.rotate_secret(id, self.overlap()?, actor).await?;
                let mut body = json!({ "webhook_id": id, "previous_secret_until": rotated.previous_until });
                put(&mut body, "secret", rotated.secret.expose_str());
                Ok(secret(StatusCode::OK, &body))
            }
            (Page::Deliveries(id), _) => {
                let (limit, before) = (self.limit()?, self.query("before"));
                let before = before.as_deref().map(delivery_id).transpose()?;
                let all = desk.deliveries(id, limit, before).await?;
                let next = if all.len() == usize::try_from(limit).unwrap_or(0) { all.last() } else { None };
                ok(&json!({ "deliveries": all, "next": next.map(|last| last.id) }))
            }
            (Page::Delivery(id, delivery), _) => ok(&shown(&desk.delivery(id, delivery_id(delivery)?).await?)),
            (Page::Resend(id, delivery), _) => {
                let sent = desk.resend(id, delivery_id(delivery)?, actor).await?;
                Ok(reply::json(StatusCode::ACCEPTED, &shown(&sent)))
            }
        }
    }

    fn json(&self) -> Result<Value, Refusal> {
        if !ContentTypes::Json.accept(self.headers.get(CONTENT_TYPE)) {
            return Err(Refusal::MediaType);
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::Source(Refused::BodyNotJson { why: error.to_string() }))
    }

    /// How long the old secret signs, too: a day, unless the body says otherwise.
    fn overlap(&self) -> Result<Duration, Trouble> {
        if self.body.is_empty() {
            return Ok(Desk::OVERLAP);
        }
        match self.json()?.get("overlap_seconds") {
            None => Ok(Desk::OVERLAP),
            Some(seconds) => {
                let asked = seconds.as_u64().map(Duration::from_secs);
                let most = Desk::LONGEST_OVERLAP;
                let why = || format!("it must be a whole number from 0 to {}", most.as_secs());
                let slip = || Slip { pointer: "/overlap_seconds".to_owned(), why: Some(why()) };
                let good = asked.filter(|asked| *asked <= most);
                Ok(good.ok_or_else(|| WebhookRefused::Input(vec![slip()]))?)
            }
        }
    }

    fn limit(&self) -> Result<u32, WebhookRefused> {
        limit(self.query("limit").as_deref()).map_err(|slip| WebhookRefused::Input(vec![slip]))
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default().as_bytes();
        form_urlencoded::parse(query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

fn delivery_id(text: &str) -> Result<EventId, WebhookRefused> {
    text.parse().map_err(|_| WebhookRefused::UnknownDelivery(text.to_owned()))
}

fn text(body: &Value, field: &str) -> Result<String, Slip> {
    let found = body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.map(str::to_owned).ok_or_else(|| Slip {
        pointer: format!("/{field}"),
        why: body.get(field).filter(|value| !value.is_null()).map(|_| "it must be text and not empty".to_owned()),
    })
}

/// What is shown is made of texts, numbers and times, which can always be written.
fn shown(what: &impl serde::Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

fn put(body: &mut Value, field: &str, text: Option<&str>) {
    if let Value::Object(fields) = body {
        fields.insert(field.to_owned(), text.into());
    }
}

/// An answer with a secret in it, which nobody on the way may keep.
fn secret(status: StatusCode, body: &Value) -> Reply {
    let mut reply = reply::json(status, body);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
