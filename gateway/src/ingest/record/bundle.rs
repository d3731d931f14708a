//! Requests of several events: all are accepted or none.
//!
//! One of them that is refused refuses the request, and says which it was. An event that we have already is no refusal.
//! While the store is away nothing is accepted, for a broker cannot confirm several messages as one: their senders come
//! again.

use lychgate_common::{
    source::OnConflict,
    store::{self, Bundle, NewEvent},
};

use super::{Arrival, Fate, place, refusal};
use crate::{house::House, refusal::Refusal, throttle::Share};

/// Makes all events of a request durable, or none.
pub(super) async fn bundle(
    house: &House,
    arrival: &Arrival<'_>,
    share: Share,
    mut events: Vec<NewEvent>,
) -> Result<Vec<Fate>, Refusal> {
    let places: Vec<_> = events.iter_mut().map(|event| place(house, share, event)).collect();
    let on_conflict = arrival.source.on_conflict();
    let refuses_conflicts = !matches!(on_conflict, OnConflict::Replay);
    let submit = async |events: Vec<NewEvent>| {
        let submitted = house.bundles.submit(Bundle { events, refuses_conflicts }).await;
        submitted.map_err(|error| match (refusal(&error), error.element()) {
            (Refusal::Unstorable(None), Some(nth)) => Refusal::Unstorable(Some(arrival.source.pointer_of(nth))),
            (refusal, _) => refusal,
        })
    };
    let mut recorded = submit(events.clone()).await?;
    for (event, fate) in events.iter_mut().zip(&recorded) {
        match (fate, on_conflict) {
            (store::Recorded::Conflict(first), OnConflict::Reject) => return Err(Refusal::KeyConflict(*first)),
            (store::Recorded::Conflict(_), OnConflict::NewEvent) => event.keys.key = None,
            (store::Recorded::New | store::Recorded::Duplicate(_) | store::Recorded::Conflict(_), _) => {}
        }
    }
    let conflict = |fate: &store::Recorded| matches!(fate, store::Recorded::Conflict(_));
    if refuses_conflicts && recorded.iter().any(conflict) {
        // The events in conflict have lost their keys, so that they are events of their own now.
        recorded = submit(events.clone()).await?;
        if let Some(store::Recorded::Conflict(first)) = recorded.iter().find(|fate| conflict(fate)) {
            return Err(Refusal::KeyConflict(*first));
        }
    }
    let fate = |((event, fate), place)| match fate {
        store::Recorded::New => Fate::New(Box::new(event), place),
        store::Recorded::Duplicate(first) | store::Recorded::Conflict(first) => Fate::Known(first),
    };
    Ok(events.into_iter().zip(recorded).zip(places).map(fate).collect())
}
