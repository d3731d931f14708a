//! The worker's half of a webhook's way.
//!
//! ```text
//! queue -> consume -> decode -> claim -> handle -> verdict -> settle -> acknowledge
//!             |                            |                     |
//!       fair between sources      changes, as data      one transaction: fence, changes, history
//! ```
//!
//! A handler's changes, the event's status and the attempt's record commit together, so that an event has its effect
//! exactly once, however often its message comes. Beside that corridor the worker sweeps, keeps house, and serves the
//! operator's commands. The worker never answers a sender.

mod attempt;
pub mod breaker;
mod consume;
pub mod core_api;
mod duties;
pub mod handler;
pub mod handlers;
mod house;
pub mod http;
mod late;
pub mod mail;
mod metrics;
pub mod operate;
pub mod process;
pub mod reconcile;
mod run;
pub mod supabase;
mod waiting;

pub use self::{
    house::{House, Parts},
    metrics::{Metrics, WorkerMetrics},
    run::run,
};
