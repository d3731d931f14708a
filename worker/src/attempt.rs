//! The corridor: one attempt at one event, one verb a line.
//!
//! The order of writes: row, then queue, then acknowledgement. A crash between two of them leaves a copy of the message,
//! which finds a settled attempt and is dropped (`tests/flow/survives_kill.rs`).

mod claim;
mod decode;
mod handle;
pub(crate) mod settle;
mod verdict;

use lychgate_common::queue::Delivery;

use crate::{house::House, waiting::Place};

/// Makes one attempt. Everything that can go wrong becomes a verdict, a release or a dropped copy.
///
/// Its place is free for the next as soon as the handler is done: settling waits for a group's commit, and as many may
/// wait for that as the queue has handed out.
pub(crate) async fn attempt(house: &House, delivery: Delivery, place: Place) {
    let Some(decoded) = decode::decode(house, delivery).await else { return };
    let Some(claimed) = claim::claim(house, decoded).await else { return };
    let outcome = handle::handle(house, &claimed).await;
    drop(place);
    let judged = verdict::judge(house, &claimed, outcome);
    settle::settle(house, claimed, judged).await;
}
