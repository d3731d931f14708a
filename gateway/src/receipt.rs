//! The receipt: `GET /events/{id}` tells the sender of an event what became of it.
//!
//! Authenticated as the source is, over an empty body, with the same credentials that brought the event; anybody else
//! is told the same as if the event did not exist. Says nothing of the payload.

use bytes::Bytes;
use hyper::{Request, StatusCode, body::Incoming};
use lychgate_common::{
    event::EventId,
    source::{Key, KeyForm, Keys, Source},
};
use serde_json::json;

use crate::{
    house::House,
    refusal::Refusal,
    reply::{self, Reply},
};

/// Answers with the event's status, attempts and last error.
pub(crate) async fn receipt(house: &House, id: EventId, request: &Request<Incoming>) -> Reply {
    match look(house, id, request).await {
        Ok(reply) => reply,
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    }
}

async fn look(house: &House, id: EventId, request: &Request<Incoming>) -> Result<Reply, Refusal> {
    let away = |error: lychgate_common::store::StoreError| {
        tracing::warn!(%error, "a receipt could not be read");
        Refusal::NotDurable
    };
    let (source, tenant) = house.store.event_source(id).await.map_err(away)?.ok_or(Refusal::NotFound)?;
    let routes = house.routes.load();
    let source = routes.source(&source).ok_or(Refusal::NotFound)?;
    authenticate(house, source, &tenant, request).await?;
    let event = house.store.event_line(id).await.map_err(away)?.ok_or(Refusal::NotFound)?;
    let body = serde_json::to_value(&event).unwrap_or_else(|_| json!({ "id": id }));
    Ok(reply::json(StatusCode::OK, &body))
}

async fn authenticate(
    house: &House,
    source: &Source,
    tenant: &str,
    request: &Request<Incoming>,
) -> Result<(), Refusal> {
    let empty = Bytes::new();
    let asked = lychgate_common::source::Request {
        method: request.method(),
        uri: request.uri(),
        public_url: None,
        headers: request.headers(),
        params: &[],
        body: &empty,
        received_at: house.clock.now(),
    };
    let campus = match source.keys() {
        Keys::Fixed(keys) => return Ok(source.authenticate(&asked, keys).map(drop)?),
        Keys::ByTenant => house.campuses.as_ref().ok_or(Refusal::NotFound)?.find(tenant).await,
    };
    let campus = campus.ok().flatten().ok_or(Refusal::NotFound)?;
    let keys: Vec<Key> =
        campus.active_secrets(house.clock.now()).filter_map(|secret| Key::read(secret, KeyForm::Text).ok()).collect();
    let _verified = source.authenticate(&asked, &keys)?;
    Ok(())
}
