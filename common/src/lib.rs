//! The contract between the gateway and the worker, and the kit both start and stop with.
//!
//! What belongs here: what the two sides must agree on (event, message, status, broker topology, store, sources) and
//! what both need to live (settings, telemetry, clock, stop). What never belongs here: a step of only one side's
//! corridor. The crate graph is `gateway -> common <- worker`; nothing here knows either of them.

pub mod backoff;
pub mod campus;
pub mod change;
pub mod clock;
pub mod event;
pub mod live;
pub mod magic;
pub mod message;
pub mod metrics;
pub mod ops;
pub mod outcome;
pub mod process;
pub mod queue;
pub mod rehearse;
pub mod secret;
pub mod settings;
pub mod source;
pub mod status;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod webhook;
