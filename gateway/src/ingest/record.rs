//! *Record*: makes the events durable. From here on they are ours.
//!
//! A place with the publisher is taken before the row is written, so that the row can say whether anybody is going to
//! publish it. A commit whose outcome is unknown is no success: the sender is asked to come again, and its repetition
//! is recognised. While the store is away, a broker that confirms the whole event is as good as a row; with both away
//! nothing is accepted.

mod bundle;

use jiff::SignedDuration;
use lychgate_common::{
    event::{Attempt, EventId},
    message::{Message, Unrecorded},
    queue::{Published, Queue, Route},
    source::OnConflict,
    store::{self, NewEvent},
};

use super::{Arrival, Identified};
use crate::{house::House, publisher::Place, refusal::Refusal, throttle::Share};

/// What became of one event.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Durable from now on; publish it if there is a place.
    New(Box<NewEvent>, Option<(Place, Route)>),
    /// The store is away; the broker has confirmed the whole event.
    Entrusted(EventId),
    /// The sender has sent it before, under this id.
    Known(EventId),
}

/// Events that are durable, every one of them.
#[derive(Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) subject: Option<std::sync::Arc<str>>,
    fates: Vec<Fate>,
}

impl Recorded<'_> {
    pub(crate) fn into_fates(self) -> Vec<Fate> {
        self.fates
    }
}

/// Makes the events durable, or refuses the request.
pub(crate) async fn record<'a>(house: &House, identified: Identified<'a>) -> Result<Recorded<'a>, Refusal> {
    let (arrival, share) = (identified.arrival, identified.share);
    let mut events = identified.into_events();
    let subject = events.first().and_then(|event| event.event.subject.clone());
    let fates = match (events.pop(), events.is_empty()) {
        (None, _) => Vec::new(),
        (Some(event), true) => vec![one(house, arrival, share, event).await?],
        (Some(last), false) => {
            events.push(last);
            bundle::bundle(house, arrival, share, events).await?
        }
    };
    Ok(Recorded { arrival, subject, fates })
}

async fn one(house: &House, arrival: &Arrival<'_>, share: Share, mut event: NewEvent) -> Result<Fate, Refusal> {
    let place = place(house, share, &mut event);
    let kept = event.clone();
    let recorded = match house.record.submit(event).await {
        Err(error) if error.is_away() => return entrust(house, arrival, kept, &error).await,
        recorded => recorded.map_err(|error| refusal(&error))?,
    };
    match recorded {
        store::Recorded::New => Ok(Fate::New(Box::new(kept), place)),
        store::Recorded::Duplicate(first) => Ok(Fate::Known(first)),
        store::Recorded::Conflict(first) => match arrival.source.on_conflict() {
            OnConflict::Reject => Err(Refusal::KeyConflict(first)),
            OnConflict::Replay => Ok(Fate::Known(first)),
            OnConflict::NewEvent => {
                let mut event = kept;
                event.keys.key = None;
                let again = event.clone();
                house.record.submit(event).await.map_err(|error| refusal(&error))?;
                Ok(Fate::New(Box::new(again), place))
            }
        },
    }
}

/// Decides when the row is due, and takes a place with the publisher where one will be needed.
fn place(house: &House, share: Share, event: &mut NewEvent) -> Option<(Place, Route)> {
    let now = event.event.received_at;
    let later = |wait: std::time::Duration| now + SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
    match (&house.queue, share) {
        (Queue::Store(_), Share::Within) => event.due_at = Some(now),
        (Queue::Store(_), Share::Deferred(wait)) => event.due_at = Some(later(wait)),
        // The sweeper publishes it when its time has come.
        (Queue::Broker(_), Share::Deferred(wait)) => event.due_at = Some(later(wait)),
        (Queue::Broker(_), Share::Within) if house.queue.state().is_up() => {
            let place = house.publisher.place();
            event.due_at = place.as_ref().map(|_| later(house.settings.sweep.grace));
            return place.map(|place| (place, Route::Main));
        }
        (Queue::Broker(_), Share::Within) => event.due_at = None,
    }
    None
}

/// The store is away: the broker, if it is there, takes the whole event and confirms it. Its worker records it.
async fn entrust(
    house: &House,
    arrival: &Arrival<'_>,
    event: NewEvent,
    error: &store::StoreError,
) -> Result<Fate, Refusal> {
    if !house.queue.takes_whole_events() {
        return Err(refusal(error));
    }
    let id = event.event.id;
    let unrecorded = Unrecorded {
        key: event.keys.key,
        body_guard: event.keys.body_guard,
        body_guard_window: event.keys.body_guard_window,
        on_conflict: arrival.source.on_conflict(),
        headers: event.headers.to_string(),
        content_type: event.content_type,
    };
    let message = Message {
        shard: event.shard,
        traceparent: event.traceparent.map(Into::into),
        event: event.event,
        body_in_store: false,
        attempt: Attempt::FIRST,
        climbed: 0,
        reply_to: None,
        unrecorded: Some(Box::new(unrecorded)),
    };
    match house.queue.publish(vec![(message, Route::Main)]).await.first() {
        Some(Published::Confirmed) => {
            house.metrics.entrusted();
            tracing::debug!(event = %id, "the store is away; the broker has the event");
            Ok(Fate::Entrusted(id))
        }
        Some(Published::Returned | Published::Refused | Published::Unknown) | None => Err(refusal(error)),
    }
}

fn refusal(error: &store::StoreError) -> Refusal {
    match error {
        store::StoreError::Overloaded => Refusal::Overloaded,
        store::StoreError::Data(_) => {
            tracing::error!(error = %error.detail(), "the database refuses an event's data");
            Refusal::Unstorable(None)
        }
        store::StoreError::Away(_)
        | store::StoreError::Server(_)
        | store::StoreError::Schema(_)
        | store::StoreError::NewerSchema(_)
        | store::StoreError::Row(_) => {
            tracing::error!(error = %error.detail(), "an event could not be recorded");
            Refusal::NotDurable
        }
    }
}
