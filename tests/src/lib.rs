//! What the promise tests stand on: private servers, the product's real binaries, senders, receivers and the ledger.
//!
//! Nothing here shares code with what it tries: signatures are computed anew, outcomes are read with SQL of the tests'
//! own. A harness fails loudly, so `unwrap` and printing are its manner.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

pub mod broker;
pub mod core_api;
pub mod database;
mod directory;
pub mod fact;
pub mod http;
pub mod ledger;
pub mod load;
pub mod process;
pub mod receiver;
pub mod sender;
pub mod settings;
pub mod smtp_server;
pub mod stage;
pub mod vendors;

pub use self::{
    broker::{Broker, Node},
    database::{Database, Postgres},
    directory::{Directory, unique},
    fact::{eventually, eventually_within},
    process::{Process, Program},
    settings::Settings,
    smtp_server::SmtpServer,
};
