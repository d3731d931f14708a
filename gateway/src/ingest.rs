//! The corridor: what happens to a webhook, one verb a line.
//!
//! Every step's type can only be made by that step, so that nothing is recorded which was not authenticated. A refusal
//! leaves nothing behind but a line in the log of deliveries.

mod authenticate;
mod identify;
mod limit;
mod publish;
mod record;

use std::{net::SocketAddr, time::Instant};

use hyper::{Request, body::Incoming};
use lychgate_common::source::Source;

use crate::{
    answer::{self, Answer},
    cors,
    house::House,
    refusal::Refusal,
    reply::{self, Reply},
    routes::Params,
};

pub(crate) use self::{
    authenticate::{Authenticated, verify},
    identify::Identified,
    limit::{Admitted, Arrival, client, is_allowed, read},
    publish::Published,
    record::{Fate, Recorded},
};

/// Takes a webhook in and answers its sender.
pub(crate) async fn ingest(
    house: &House,
    source: &Source,
    params: Params,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Reply {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let arrival = Arrival::new(house, source, params, parts, peer);
    let mut trail = Trail::default();
    let result = walk(house, &arrival, body, &mut trail).await;
    let reply = match result {
        Ok(answer) => answer.into_reply(),
        Err(refusal) => {
            answer::refuse(house, &arrival, &trail, &refusal);
            reply::refusal(&refusal)
        }
    };
    house.metrics.answered(source.name(), reply.status(), started.elapsed());
    cors::readable(source, &arrival.head.headers, reply)
}

/// How far a delivery came, and what it brought, for the log of those that make no event.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub(crate) body: Option<bytes::Bytes>,
    pub(crate) tenant: Option<std::sync::Arc<str>>,
    pub(crate) kind: Option<std::sync::Arc<str>>,
    pub(crate) key: Option<String>,
    pub(crate) authentic: bool,
}

async fn walk(house: &House, arrival: &Arrival<'_>, body: Incoming, trail: &mut Trail) -> Result<Answer, Refusal> {
    limit::address(house, arrival)?;
    if let Some(answer) = answer::greeting(house, arrival, trail)? {
        return Ok(answer);
    }
    let admitted = limit::limit(house, arrival, body, trail).await?;
    let authenticated = authenticate::authenticate(house, admitted, trail).await?;
    if let Some(answer) = answer::directly(house, &authenticated, trail)? {
        return Ok(answer);
    }
    let identified = identify::identify(house, authenticated, trail)?;
    let recorded = record::record(house, identified).await?;
    let published = publish::publish(house, recorded);
    answer::answer(house, published, trail).await
}
