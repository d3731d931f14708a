//! *Identify*: which event is this, of which type, about what?
//!
//! The source's rules say; this step puts them into the ledger's form. One request may carry several events: all of
//! them are identified, or none is taken.

use std::sync::Arc;

use lychgate_common::{
    event::{Event, EventId},
    source::{Identity, kept_headers},
    store::{Keys, NewEvent},
};

use super::{Arrival, Authenticated, Trail};
use crate::{house::House, refusal::Refusal, throttle::Share};

/// Authenticated events, ready to be recorded.
#[derive(Debug)]
pub(crate) struct Identified<'a> {
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) share: Share,
    events: Vec<NewEvent>,
}

impl Identified<'_> {
    /// What is to be recorded.
    pub(crate) fn into_events(self) -> Vec<NewEvent> {
        self.events
    }
}

/// Names the request's events, or says what is missing.
pub(crate) fn identify<'a>(
    house: &House,
    authenticated: Authenticated<'a>,
    trail: &mut Trail,
) -> Result<Identified<'a>, Refusal> {
    let arrival = authenticated.admitted.arrival;
    let identities = arrival.source.identify(&authenticated.request())?;
    let Authenticated { tenant, share, .. } = authenticated;
    if let Some(first) = identities.first() {
        trail.tenant.get_or_insert_with(|| Arc::clone(&first.tenant));
        trail.kind = Some(Arc::clone(&first.kind));
        trail.key.clone_from(&first.key);
    }
    let headers: Arc<str> = kept_headers(&arrival.head.headers).into();
    let events = identities.into_iter().map(|identity| normal(house, arrival, identity, &tenant, &headers)).collect();
    Ok(Identified { arrival, share, events })
}

fn normal(
    house: &House,
    arrival: &Arrival<'_>,
    identity: Identity,
    tenant: &Option<Arc<str>>,
    headers: &Arc<str>,
) -> NewEvent {
    let id = EventId::new(arrival.received_at);
    let source = arrival.source;
    let content_type = arrival.head.headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    NewEvent {
        body_sha256: NewEvent::hash(&identity.body),
        event: Event {
            id,
            source: Arc::clone(source.name()),
            preset: Arc::clone(source.preset()),
            tenant: tenant.clone().unwrap_or(identity.tenant),
            kind: identity.kind,
            subject: identity.subject,
            occurred_at: identity.occurred_at,
            received_at: arrival.received_at,
            body: identity.body,
        },
        keys: Keys {
            key: identity.key,
            body_guard: identity.body_guard,
            body_guard_window: identity.body_guard_window,
        },
        headers: Arc::clone(headers),
        content_type: content_type.map(str::to_owned),
        traceparent: arrival.traceparent(),
        shard: house.settings.broker.shards.pick(source.name(), id),
        due_at: None,
    }
}
