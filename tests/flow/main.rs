//! The promises, one module each, tried on the real binaries against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod apply;
mod campuses;
mod dead_letters;
mod documents;
mod harness;
mod platform;
mod queue_contract;
mod reconciles;
mod rows;
mod signers;
mod sleekapp;
