//! `POST /auth/magic`: signs the bearer of a magic token in, once.
//!
//! The body is `{"token": "…"}`, the answer `{"success": true, "user": {…}}`. A token that is unknown, expired or spent
//! is answered alike, and counts against the address, so that guessing is slow. Never logs a token.

use std::net::SocketAddr;

use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use lychgate_common::{
    magic::{Fingerprint, TEXT_LENGTH},
    source::{ContentTypes, Refused},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    house::House,
    ingest,
    refusal::Refusal,
    reply::{self, Reply},
};

/// A token and the braces around it; more is nobody's.
const BODY: usize = 4096;

#[derive(Deserialize)]
struct Offered {
    #[serde(default)]
    token: String,
}

/// Answers with the user, or with one refusal for every wrong token.
pub(crate) async fn sign_in(house: &House, request: Request<Incoming>, peer: SocketAddr) -> Reply {
    match spend(house, request, peer).await {
        Ok(reply) => reply,
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    }
}

async fn spend(house: &House, request: Request<Incoming>, peer: SocketAddr) -> Result<Reply, Refusal> {
    let address = ingest::client(peer.ip(), request.headers(), &house.settings.gateway.trusted_proxies);
    house.throttle.admit(address)?;
    if !ContentTypes::Json.accept(request.headers().get(CONTENT_TYPE)) {
        return Err(Refusal::MediaType);
    }
    let body = ingest::read(request.into_body(), None, BODY, house).await?;
    let offered: Offered = serde_json::from_slice(&body)
        // The words of a JSON error may quote the body.
        .map_err(|_| {
            Refusal::Source(Refused::BodyNotJson { why: "an object with a `token` is expected".to_owned() })
        })?;
    if offered.token.is_empty() {
        return Err(Refusal::Source(Refused::FieldMissing { pointer: "/token".into() }));
    }
    let user = match offered.token.len() {
        TEXT_LENGTH => house.store.spend_magic_token(&Fingerprint::of(&offered.token)).await.map_err(|error| {
            tracing::error!(%error, "a magic token could not be checked");
            Refusal::Unavailable
        })?,
        _ => None,
    };
    let Some(user) = user else {
        house.throttle.failed(address);
        return Err(Refusal::MagicToken);
    };
    tracing::info!("a magic token was used");
    let mut reply = reply::json(StatusCode::OK, &json!({ "success": true, "user": user }));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}
