//! Requests of several events: all of a request's are made durable, or none.
//!
//! Many requests share a statement while all of their events are new. Where one is not, or the data of one is refused,
//! the group halves down to single requests, each a transaction of its own that a conflict rolls back. Never splits a
//! request.

use super::{NewEvent, Recorded, Recorder, key_rows, probed, statements};
use crate::store::{
    Store, StoreError,
    group::{Weigh, Write},
    partition::DAYS_AHEAD,
};

/// The events of one request, more than one.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The events, in the request's order.
    pub events: Vec<NewEvent>,
    /// Whether a key of another body refuses the request. Where it does, an answer with a [`Recorded::Conflict`] says
    /// that nothing of the request was recorded; else such an event counts as known.
    pub refuses_conflicts: bool,
}

impl Weigh for Bundle {
    fn weight(&self) -> usize {
        self.events.iter().map(Weigh::weight).sum()
    }
}

/// The element of a request whose data the database refuses.
#[derive(Debug, thiserror::Error)]
#[error("element {nth} of the request: {refused}")]
struct Element {
    nth: usize,
    refused: String,
}

impl StoreError {
    /// Which of a request's events has the data that was refused, counted from 0.
    pub fn element(&self) -> Option<usize> {
        match self {
            Self::Data(error) => error.downcast_ref::<Element>().map(|element| element.nth),
            Self::Away(_)
            | Self::Server(_)
            | Self::Overloaded
            | Self::Schema(_)
            | Self::NewerSchema(_)
            | Self::Row(_) => None,
        }
    }
}

impl Write<Bundle, Vec<Recorded>> for Recorder {
    async fn write(&self, requests: &[Bundle]) -> Result<Vec<Vec<Recorded>>, StoreError> {
        let result = match self.bundles(requests).await {
            Err(error) if error.is_missing_partition() => {
                self.store.make_partitions(DAYS_AHEAD).await?;
                self.bundles(requests).await
            }
            result => result,
        };
        match (result, requests) {
            (Err(error), [request]) if error.is_data() => Err(guilty(&self.store, &request.events, self, error).await),
            (result, _) => result,
        }
    }
}

impl Recorder {
    async fn bundles(&self, requests: &[Bundle]) -> Result<Vec<Vec<Recorded>>, StoreError> {
        let [request] = requests else { return self.all_new(requests).await };
        let (events, now) = (request.events.as_slice(), self.store.clock.now());
        let (keys, older) = (key_rows(events, now), probed(now, self.window));
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let inserted = statements::insert_guarded(&tx, events, &keys, &older).await?;
        if inserted.len() == events.len() {
            tx.commit().await?;
            return Ok(vec![vec![Recorded::New; events.len()]]);
        }
        let lost: Vec<&NewEvent> = events.iter().filter(|item| !inserted.contains(&item.event.id)).collect();
        let mut known = statements::find(&tx, &lost, &keys, &older).await?;
        let fate = |item: &NewEvent| match inserted.contains(&item.event.id) {
            true => Ok(Recorded::New),
            false => known.remove(&item.event.id).ok_or_else(|| {
                StoreError::Row("a key was taken and then gone: the sender's retry will be recorded".to_owned())
            }),
        };
        let fates: Vec<Recorded> = events.iter().map(fate).collect::<Result<_, _>>()?;
        let conflict = fates.iter().any(|fate| matches!(fate, Recorded::Conflict(_)));
        if conflict && request.refuses_conflicts {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(vec![fates])
    }

    /// Several requests in one statement, which is how it goes nearly always. A known event among them is refused as
    /// data is, so that the group comes again with fewer, in the end with one.
    async fn all_new(&self, requests: &[Bundle]) -> Result<Vec<Vec<Recorded>>, StoreError> {
        let events: Vec<NewEvent> = requests.iter().flat_map(|request| request.events.iter().cloned()).collect();
        let now = self.store.clock.now();
        let keys = key_rows(&events, now);
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let inserted = statements::insert_guarded(&tx, &events, &keys, &probed(now, self.window)).await?;
        if inserted.len() < events.len() {
            tx.rollback().await?;
            return Err(StoreError::refused_data("an event of several requests is known"));
        }
        tx.commit().await?;
        Ok(requests.iter().map(|request| vec![Recorded::New; request.events.len()]).collect())
    }
}

/// Finds the event that the database refuses, by halves, recording nothing. The first of several.
async fn guilty(store: &Store, events: &[NewEvent], recorder: &Recorder, error: StoreError) -> StoreError {
    let (mut from, mut part) = (0, events);
    while part.len() > 1 {
        let (left, right) = part.split_at(part.len() / 2);
        match tried(store, left, recorder).await {
            Err(refused) if refused.is_data() => part = left,
            Ok(()) => (from, part) = (from + left.len(), right),
            // Which one it is cannot be found out now; that it is refused is known all the same.
            Err(_) => return error,
        }
    }
    StoreError::Data(Element { nth: from, refused: error.detail() }.into())
}

async fn tried(store: &Store, events: &[NewEvent], recorder: &Recorder) -> Result<(), StoreError> {
    let now = store.clock.now();
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    statements::insert_guarded(&tx, events, &key_rows(events, now), &probed(now, recorder.window)).await?;
    Ok(tx.rollback().await?)
}
