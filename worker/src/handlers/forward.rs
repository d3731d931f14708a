//! Forwarding: delivers a source's events to services of the user's own, signed, each destination once if it can be.
//!
//! At least once, honestly: a delivery that arrived and whose answer was lost is made again, under the same
//! `webhook-id`. With several destinations the arrivals are noted, and a later attempt calls only the others. Schedule
//! and dead letters are the house's own. This is the one handler whose work is an effect; it never touches other tables.

mod client;
mod outcome;
mod request;

#[cfg(test)]
mod tests;

use futures_util::future::{BoxFuture, join_all};
use lychgate_common::{
    change::{Change, Table},
    clock::Clock,
    event::Event,
    row,
    source::{Destination, Forward, Source},
    store::{Forwarding, Store, StoreError},
};
use serde_json::json;

pub use self::client::Couriers;
pub(in crate::handlers) use self::{
    client::NoAnswer,
    outcome::{Arrived, Missed, failure, judge},
};
use super::Registry;
use crate::handler::{Cause, Failure, Handled, Handler};

/// Where an event has arrived.
pub static FORWARD_DELIVERY: Table =
    Table { name: "forward_delivery", key: &["event_id", "destination"], columns: &["status", "delivered_at"] };

/// The handler of one source that forwards.
#[derive(Debug)]
pub struct Forwards {
    forward: Forward,
    couriers: Couriers,
    store: Store,
    clock: Clock,
}

impl Registry {
    /// Makes every source known, and registers those that forward.
    #[must_use]
    pub fn with_sources(self, sources: &[Source], couriers: &Couriers, store: &Store) -> Self {
        sources.iter().fold(self, |registry, source| {
            let registry = registry.knowing(source.name());
            let Some(forward) = source.forward() else { return registry };
            registry.with_source(source.name(), Forwards::new(forward.clone(), couriers.clone(), store.clone()))
        })
    }
}

impl Forwards {
    /// Forwards as `forward` says; `couriers` are shared by all sources, so that a destination has one breaker.
    pub fn new(forward: Forward, couriers: Couriers, store: Store) -> Self {
        Self { forward, couriers, clock: store.clock().clone(), store }
    }

    async fn deliver(&self, event: &Event) -> Result<Handled, Failure> {
        let (known, open) = self.plan(event).await?;
        let calls = open.iter().map(|(nth, destination)| self.call(event, &known, *nth, destination));
        let (mut arrived, mut missed) = (Vec::new(), Vec::new());
        for result in join_all(calls).await {
            match result {
                Ok(one) => arrived.push(one),
                Err(one) => missed.push(one),
            }
        }
        let changes: Vec<Change> = arrived.iter().map(|one| note(event, one)).collect();
        match failure(missed) {
            None => Ok(Handled::changes(changes)),
            Some(failure) => {
                // The attempt has failed, so that its changes are not written with it; what has arrived is noted now.
                if !changes.is_empty() {
                    self.store.apply(&changes).await.map_err(|error| ours("an arrival cannot be noted", error))?;
                }
                Err(failure)
            }
        }
    }

    /// What the ledger knows, and the destinations where the event has not arrived yet, each with its number.
    async fn plan(&self, event: &Event) -> Result<(Forwarding, Vec<(usize, &Destination)>), Failure> {
        let known =
            self.store.forwarding(event.id).await.map_err(|error| ours("arrivals cannot be looked up", error))?;
        let known = known.unwrap_or_default();
        let missing = |destination: &Destination| !known.delivered.contains(&destination.label);
        let all = self.forward.destinations().iter().enumerate();
        let open = all.filter(|(_, destination)| missing(destination)).map(|(nth, one)| (nth + 1, one)).collect();
        Ok((known, open))
    }

    async fn call(
        &self,
        event: &Event,
        known: &Forwarding,
        nth: usize,
        destination: &Destination,
    ) -> Result<Arrived, Missed> {
        let now = self.clock.now();
        let answer = match request::request(event, &self.forward, destination, known, now) {
            Ok(request) => self.couriers.send(destination, self.forward.allows_private(), request, now).await,
            Err(error) => Err(error),
        };
        let who = match self.forward.destinations().len() {
            1 => "the destination".to_owned(),
            several => format!("destination {nth} of {several}"),
        };
        judge(who, destination, answer, self.clock.now())
    }
}

fn ours(what: &str, error: StoreError) -> Failure {
    Failure::Ours(Cause::from("forward_ledger", what, error))
}

fn note(event: &Event, arrived: &Arrived) -> Change {
    let row = row! {
        "event_id" => event.id,
        "destination" => arrived.destination,
        "status" => arrived.status,
        "delivered_at" => arrived.at,
    };
    Change::append(&FORWARD_DELIVERY, row)
}

impl Handler for Forwards {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.deliver(event))
    }

    /// Calls nobody: says where the event would go.
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(async {
            let (known, open) = self.plan(event).await?;
            let to: Vec<String> = open.iter().map(|(_, destination)| destination.shown()).collect();
            let reply = Some(json!({"would_be_delivered_to": to, "delivered_before": known.delivered.len()}));
            Ok(Handled { reply, ..Handled::default() })
        })
    }
}
