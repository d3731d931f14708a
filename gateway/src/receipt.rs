//! The receipt: `GET /events/{id}` tells the sender of an event what became of it.
//!
//! Authenticated as the source is, over an empty body, with the same credentials that brought the event, and within the
//! same limits on addresses. Wrong credentials are told so (401), as the interface says; an address that the source does
//! not allow is told the same as if the event did not exist. Says nothing of the payload.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use hyper::{Request, StatusCode, body::Incoming};
use lychgate_common::{
    event::EventId,
    source::{Key, KeyForm, Keys, Source},
};
use serde_json::json;

use crate::{
    house::House,
    ingest,
    refusal::Refusal,
    reply::{self, Reply},
};

/// Answers with the event's status, attempts and last error.
pub(crate) async fn receipt(house: &House, id: EventId, request: &Request<Incoming>, peer: SocketAddr) -> Reply {
    let address = ingest::client(peer.ip(), request.headers(), &house.settings.gateway.trusted_proxies);
    match look(house, id, request, address).await {
        Ok(reply) => reply,
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    }
}

async fn look(house: &House, id: EventId, request: &Request<Incoming>, address: IpAddr) -> Result<Reply, Refusal> {
    house.throttle.admit(address)?;
    let away = |error: lychgate_common::store::StoreError| {
        tracing::warn!(%error, "a receipt could not be read");
        Refusal::NotDurable
    };
    let (source, tenant) = house.store.event_source(id).await.map_err(away)?.ok_or(Refusal::NotFound)?;
    let routes = house.routes.load();
    let source = routes.source(&source).ok_or(Refusal::NotFound)?;
    if !ingest::is_allowed(source, address) {
        return Err(Refusal::NotFound);
    }
    authenticate(house, source, &tenant, request).await.inspect_err(|refusal| {
        if matches!(refusal, Refusal::Source(refused) if refused.is_authentication()) {
            house.throttle.failed(address);
        }
    })?;
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
