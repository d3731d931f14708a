//! *Answer*: what the sender is told, and what is remembered of it.
//!
//! Most sources are answered as soon as the event is durable, always with the same words, so that a repetition gets the
//! original answer again. A sender that waits is told the outcome; that answer is kept, for its repetitions, whatever
//! those prefer. Inner errors never show.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{StatusCode, header::HeaderValue};
use lychgate_common::{
    event::EventId,
    outcome::{Outcome, Waiter},
    source::{Handshake, Keys, kept_headers},
    status::Status,
    store::{KeptAnswer, LOGGED_BODY, LoggedAs, LoggedDelivery},
};
use serde_json::{Value, json};

use crate::{
    house::House,
    ingest::{Arrival, Authenticated, Published, Trail},
    refusal::Refusal,
    reply::{self, Reply},
};

/// How often a waiting gateway looks into the store itself, in case the worker's word was lost.
const LOOK: Duration = Duration::from_millis(400);

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer(Reply);

impl Answer {
    pub(crate) fn into_reply(self) -> Reply {
        self.0
    }
}

/// How long a sender waits for the outcome, and whether it asked to. Zero where its source waits and it prefers not to:
/// then its answer differs from the usual one, and is kept like any that does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    bound: Duration,
    preferred: Option<u64>,
}

impl Wait {
    /// `Prefer: wait=N` (RFC 7240) within the setting, else the source's own.
    pub(crate) fn of(house: &House, arrival: &Arrival<'_>) -> Option<Self> {
        let preferred = arrival
            .head
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']))
            .find_map(|preference| preference.trim().strip_prefix("wait=")?.trim_matches('"').parse::<u64>().ok());
        let usual = usual(house, arrival);
        let wait = match preferred {
            Some(seconds) => {
                let bound = Duration::from_secs(seconds).min(house.settings.gateway.wait_max);
                Self { bound, preferred: Some(bound.as_secs()) }
            }
            None => Self { bound: usual, preferred: None },
        };
        (!wait.bound.is_zero() || !usual.is_zero()).then_some(wait)
    }

    /// For an event that is known and has no answer kept: only where its source waits, for the first sender may not have
    /// been answered yet. Elsewhere the standing answer was the original, and a repetition's preference comes too late.
    pub(crate) fn again(house: &House, arrival: &Arrival<'_>) -> Option<Self> {
        Self::of(house, arrival).filter(|_| !usual(house, arrival).is_zero())
    }
}

/// How long the source's senders wait where they do not say.
fn usual(house: &House, arrival: &Arrival<'_>) -> Duration {
    arrival.source.wait().unwrap_or(house.settings.gateway.wait)
}

/// Challenges and probes that their senders do not sign: answered from the head alone, and never queued.
pub(crate) fn greeting(house: &House, arrival: &Arrival<'_>, trail: &mut Trail) -> Result<Option<Answer>, Refusal> {
    let Some(greeted) = arrival.source.greeting(&arrival.request(&Bytes::new())) else { return Ok(None) };
    let handshake = greeted.inspect_err(|refused| {
        if refused.is_authentication() {
            house.throttle.failed(arrival.address);
        }
    })?;
    trail.authentic = handshake.authenticated;
    Ok(Some(shaken(house, arrival, trail, handshake)))
}

/// Tests, pings and challenges of authentic senders: answered by the gateway itself, and never queued.
pub(crate) fn directly(
    house: &House,
    authenticated: &Authenticated<'_>,
    trail: &mut Trail,
) -> Result<Option<Answer>, Refusal> {
    let arrival = authenticated.admitted.arrival;
    let handshake = arrival.source.handshake(&authenticated.request());
    if handshake.is_some() {
        house.key_sets.subscription(arrival.source, &authenticated.request());
    }
    Ok(handshake.map(|handshake| shaken(house, arrival, trail, handshake)))
}

fn shaken(house: &House, arrival: &Arrival<'_>, trail: &mut Trail, handshake: Handshake) -> Answer {
    let name = handshake.name;
    trail.kind = Some(Arc::from(name));
    let mut reply = reply::bytes(handshake.status, HeaderValue::from_static(handshake.content_type), handshake.body);
    // Nothing that is echoed may pass for a page.
    reply.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    reply.headers_mut().extend(handshake.headers);
    log(house, arrival, trail, LoggedAs::Answered, name, reply.status(), None);
    Answer(reply)
}

/// The answer to recorded events.
pub(crate) async fn answer(house: &House, published: Published<'_>, trail: &Trail) -> Result<Answer, Refusal> {
    let Published { arrival, subject, ids, waiting } = published;
    let kept = match ids.as_slice() {
        [(id, false)] => house.store.kept_answer(*id).await.ok().flatten(),
        _ => None,
    };
    let reply = match (kept, waiting) {
        (Some(kept), _) => given(kept),
        (None, Some((wait, waiter))) => outcome(house, arrival, &ids, subject.as_deref(), wait, waiter).await,
        (None, None) => accepted(arrival, &ids, subject.as_deref()),
    };
    let mut reply = match ids.as_slice() {
        [(id, _)] => reply::about(reply, *id),
        _ => reply,
    };
    if !ids.is_empty() && ids.iter().all(|(_, new)| !new) {
        reply = reply::replayed(reply);
        house.metrics.duplicate(arrival.source.name());
        let first = ids.first().map(|(id, _)| *id);
        log(house, arrival, trail, LoggedAs::Duplicate, "duplicate", reply.status(), first);
    }
    Ok(Answer(reply))
}

/// The source's standing answer.
fn accepted(arrival: &Arrival<'_>, ids: &[(EventId, bool)], subject: Option<&str>) -> Reply {
    let ids: Vec<EventId> = ids.iter().map(|(id, _)| *id).collect();
    let standing = arrival.source.reply();
    let content_type =
        HeaderValue::try_from(standing.content_type.as_ref()).unwrap_or(HeaderValue::from_static("application/json"));
    reply::bytes(standing.status, content_type, standing.body(&ids, subject))
}

/// Waits for the outcome; the answer that is kept first is the answer that everyone gets.
async fn outcome(
    house: &House,
    arrival: &Arrival<'_>,
    ids: &[(EventId, bool)],
    subject: Option<&str>,
    wait: Wait,
    mut waiter: Waiter,
) -> Reply {
    let Some((id, new)) = ids.first().copied() else { return accepted(arrival, ids, subject) };
    let told = tokio::time::timeout(wait.bound, told(house, id, new, &mut waiter)).await.ok();
    let (status, body) = match told.filter(|outcome| !outcome.status.is_open()) {
        Some(outcome) => spoken(arrival, id, outcome),
        None if matches!(arrival.source.keys(), Keys::ByTenant) => {
            let standing = arrival.source.reply();
            (standing.status, standing.body(&[id], subject))
        }
        None => (StatusCode::ACCEPTED, Bytes::from(json!({ "id": id, "status": Status::Accepted }).to_string())),
    };
    let answer = KeptAnswer { status: status.as_u16(), body: body.to_vec() };
    let kept = match house.store.keep_answer(id, &answer).await {
        Ok(kept) => kept,
        Err(error) => {
            tracing::warn!(%error, event = %id, "an answer could not be kept; a repetition will be answered afresh");
            answer
        }
    };
    let reply = given(kept);
    match wait.preferred {
        Some(seconds) => reply::waited(reply, seconds),
        None => reply,
    }
}

/// The worker's word, or what the store says meanwhile. A new event has no outcome before its worker was woken.
async fn told(house: &House, id: EventId, new: bool, waiter: &mut Waiter) -> Outcome {
    let mut look_first = !new;
    loop {
        if look_first && let Ok(Some(outcome)) = house.store.outcome(id).await {
            return outcome;
        }
        look_first = true;
        if let Ok(outcome) = tokio::time::timeout(LOOK, waiter.told()).await {
            return outcome;
        }
    }
}

/// An outcome in the source's words.
fn spoken(arrival: &Arrival<'_>, id: EventId, outcome: Outcome) -> (StatusCode, Bytes) {
    let by_tenant = matches!(arrival.source.keys(), Keys::ByTenant);
    let body = match (outcome.reply, outcome.error) {
        (Some(reply), _) if by_tenant => reply,
        (None, Some(error)) if by_tenant => {
            let status =
                if error.class == "member_not_found" { StatusCode::NOT_FOUND } else { StatusCode::BAD_GATEWAY };
            return (status, Bytes::from(json!({ "detail": error.message }).to_string()));
        }
        (reply, error) => {
            let mut body = json!({ "id": id, "status": outcome.status });
            if let (Value::Object(body), Some(reply)) = (&mut body, reply) {
                body.insert("reply".to_owned(), reply);
            }
            if let (Value::Object(body), Some(error)) = (&mut body, error) {
                body.insert("error".to_owned(), json!({ "class": error.class, "message": error.message }));
            }
            body
        }
    };
    (StatusCode::OK, Bytes::from(body.to_string()))
}

fn given(kept: KeptAnswer) -> Reply {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    reply::bytes(status, HeaderValue::from_static("application/json"), Bytes::from(kept.body))
}

/// Remembers a refusal: counts it, logs it, and writes it down where it can be found afterwards.
pub(crate) fn refuse(house: &House, arrival: &Arrival<'_>, trail: &Trail, refusal: &Refusal) {
    house.metrics.refused(arrival.source.name(), refusal);
    tracing::debug!(source = %arrival.source.name(), reason = refusal.name(), "refused");
    let (outcome, first) = match refusal {
        Refusal::KeyConflict(first) => (LoggedAs::Conflict, Some(*first)),
        _ => (LoggedAs::Refused, None),
    };
    log_with(house, arrival, trail, outcome, refusal.name(), refusal.status(), first, refusal.is_suspicious());
}

fn log(
    house: &House,
    arrival: &Arrival<'_>,
    trail: &Trail,
    outcome: LoggedAs,
    reason: &'static str,
    status: StatusCode,
    first: Option<EventId>,
) {
    log_with(house, arrival, trail, outcome, reason, status, first, false);
}

#[allow(clippy::too_many_arguments)] // the columns of one row
fn log_with(
    house: &House,
    arrival: &Arrival<'_>,
    trail: &Trail,
    outcome: LoggedAs,
    reason: &'static str,
    status: StatusCode,
    event_id: Option<EventId>,
    suspicious: bool,
) {
    house.log.write(LoggedDelivery {
        id: EventId::new(arrival.received_at),
        received_at: arrival.received_at,
        source: arrival.source.name().to_string(),
        preset: arrival.source.preset().to_string(),
        tenant: trail.tenant.as_deref().unwrap_or("").to_owned(),
        kind: trail.kind.as_deref().map(str::to_owned),
        outcome,
        reason,
        status: status.as_u16(),
        address: arrival.address,
        key: trail.key.clone(),
        event_id,
        authentic: trail.authentic,
        body: trail.body.as_ref().map(|body| arrival.source.redacted(body).iter().take(LOGGED_BODY).copied().collect()),
        headers: kept_headers(&arrival.head.headers),
        suspicious,
    });
}
