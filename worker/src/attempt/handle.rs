//! *Handle*: runs the handler, under a deadline, with its panic caught.
//!
//! Knows nothing of what a handler does and writes nothing.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use jiff::Timestamp;
use lychgate_common::event::Event;

use crate::{
    attempt::claim::Claimed,
    handler::{Failure, Handled, Handler},
    handlers::Registry,
    house::House,
};

/// What a handler made of its event, and how long it took.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Handled, Failure>,
    pub(crate) started_at: Timestamp,
    pub(crate) took: Duration,
    /// The worker's own finding rather than the handler's: poison.
    pub(crate) poison: bool,
}

/// Runs the handler that the event's preset names.
pub(crate) async fn handle(house: &House, claimed: &Claimed<'_>) -> Outcome {
    let (started_at, started) = (house.clock.now(), Instant::now());
    let result = if claimed.poison { Err(poison(house)) } else { run(house, claimed).await };
    Outcome { result, started_at, took: started.elapsed(), poison: claimed.poison }
}

async fn run(house: &House, claimed: &Claimed<'_>) -> Result<Handled, Failure> {
    let event = &claimed.message.event;
    let registry = house.registry.load();
    let Some(handler) = registry.handler(event) else {
        return without(&registry, event);
    };
    match watched(handler.as_ref(), event, house.settings.worker.handler_deadline).await {
        Ended::Told(result) => result,
        Ended::Panicked(words) => {
            house.metrics.panicked(&event.source);
            Err(Failure::permanent("handler_panicked", format!("the handler panicked: {words}")))
        }
        Ended::Late(deadline) => {
            Err(Failure::temporary("handler_deadline", format!("the handler took longer than {deadline:?}")))
        }
    }
}

/// What becomes of an event that nobody here has a use for. One whose source these settings do not name may be the
/// business of a handler that they do not name either: its gateway was told of the source before this worker was.
fn without(registry: &Registry, event: &Event) -> Result<Handled, Failure> {
    if registry.knows(&event.source) {
        return Ok(Handled::ignored(format!("no handler is registered for sources made from `{}`", event.preset)));
    }
    let what = format!(
        "this worker's settings have no source `{}`: give it the gateways' settings (SIGHUP reads sources again)",
        event.source
    );
    Err(Failure::temporary("source_unknown", what))
}

/// How a handler's run ended.
#[derive(Debug)]
enum Ended {
    Told(Result<Handled, Failure>),
    Panicked(String),
    Late(Duration),
}

async fn watched(handler: &dyn Handler, event: &Event, deadline: Duration) -> Ended {
    // A handler may panic before it has even made its future.
    let running = AssertUnwindSafe(async { handler.handle(event).await }).catch_unwind();
    match tokio::time::timeout(deadline, running).await {
        Ok(Ok(result)) => Ended::Told(result),
        Ok(Err(panic)) => Ended::Panicked(words(panic.as_ref()).to_owned()),
        Err(_) => Ended::Late(deadline),
    }
}

fn poison(house: &House) -> Failure {
    let starts = house.settings.worker.starts;
    Failure::permanent("poison", format!("its worker died or vanished {starts} times while running it"))
}

/// What a panic said, where it said something.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::BoxFuture;
    use lychgate_common::event::EventId;

    use super::*;

    /// What a handler of the event's type does.
    #[derive(Debug)]
    struct Clumsy;

    impl Handler for Clumsy {
        fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
            match event.kind.as_ref() {
                "at once" => panic!("before its first step"),
                "later" => Box::pin(async { panic!("{} steps", 2) }),
                "never" => Box::pin(std::future::pending()),
                _ => Box::pin(std::future::ready(Ok(Handled::ignored("nothing to do")))),
            }
        }
    }

    fn event(kind: &str) -> Event {
        let received_at = "2026-11-21T12:00:00Z".parse().unwrap();
        Event {
            id: EventId::new(received_at),
            source: "s".into(),
            preset: "generic".into(),
            tenant: "".into(),
            kind: kind.into(),
            subject: None,
            occurred_at: None,
            received_at,
            body: Bytes::new(),
        }
    }

    #[tokio::test]
    async fn a_panic_is_caught_and_repeated_and_a_handler_that_never_ends_is_left() {
        let long = Duration::from_secs(60);
        assert!(
            matches!(watched(&Clumsy, &event("at once"), long).await, Ended::Panicked(words) if words == "before its first step")
        );
        assert!(matches!(watched(&Clumsy, &event("later"), long).await, Ended::Panicked(words) if words == "2 steps"));
        let short = Duration::from_millis(1);
        assert!(matches!(watched(&Clumsy, &event("never"), short).await, Ended::Late(deadline) if deadline == short));
        assert!(matches!(watched(&Clumsy, &event("well"), long).await, Ended::Told(Ok(_))));
    }
}
