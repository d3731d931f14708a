//! The promises, one module each, tried on the real binaries against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod accepts_once;
mod apply;
mod atomic_guide;
mod broker_down;
mod campus;
mod campuses;
mod database_down;
mod dead_letters;
mod documents;
mod fairness;
mod faithflow;
mod first_contact;
mod forwards;
mod harness;
mod ibam;
mod ibam_webhooks;
mod own_handler;
mod platform;
mod queue_contract;
mod reconciles;
mod refuses;
mod retries;
mod rotates;
mod rows;
mod settings;
mod signers;
mod sleekapp;
mod stops;
mod stripe;
mod survives_kill;
mod topology;
