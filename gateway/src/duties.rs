//! What the gateway does now and then, beside its requests: noting secrets' use, forgetting quiet addresses.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::house::House;

/// Often enough for an operator who watches a rotation, rare enough to cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until stopped, then once more.
pub(crate) async fn run(house: Arc<House>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => break,
        }
        house.throttle.tidy();
        house.log.note_uses().await;
    }
    house.log.note_uses().await;
}
