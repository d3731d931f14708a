//! *Handle*: runs the handler, under a deadline, with its panic caught.
//!
//! Knows nothing of what a handler does and writes nothing.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use jiff::Timestamp;

use crate::{
    attempt::claim::Claimed,
    handler::{Failure, Handled},
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
        return Ok(Handled::ignored(format!("no handler is registered for sources made from `{}`", event.preset)));
    };
    let deadline = house.settings.worker.handler_deadline;
    let running = AssertUnwindSafe(handler.handle(event)).catch_unwind();
    match tokio::time::timeout(deadline, running).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            house.metrics.panicked(&event.source);
            Err(Failure::permanent("handler_panicked", format!("the handler panicked: {}", words(panic.as_ref()))))
        }
        Err(_) => Err(Failure::temporary("handler_deadline", format!("the handler took longer than {deadline:?}"))),
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
