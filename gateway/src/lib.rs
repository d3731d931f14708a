//! The gateway's half of a webhook's way: HTTP in, row down, message out.
//!
//! ```text
//! sender -> server -> route -> limit -> authenticate -> identify -> record -> publish -> answer
//!                                                                     |          |
//!                                                       the row is the promise   the message only wakes
//! ```
//!
//! An event is accepted once its row is committed; what happens to the message afterwards can delay it and cannot lose
//! it. The gateway never runs a handler and never decides what becomes of an event.

mod answer;
mod cors;
mod delivery_log;
mod duties;
mod health_monitor;
mod house;
mod ingest;
mod key_sets;
mod magic;
mod metrics;
pub mod process;
mod publisher;
mod receipt;
mod refusal;
mod reply;
mod routes;
mod server;
mod simulation;
mod throttle;
mod webhooks;

pub use self::{
    house::{House, Parts},
    metrics::{GatewayMetrics, Metrics},
    server::serve,
};
