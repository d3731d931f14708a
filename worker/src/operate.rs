//! The operator's verbs, as plain functions: what the command line and the console both call.
//!
//! They ask no questions and print nothing; a caller shows the plan, asks, and then acts. Every deed is audited by the
//! store, in the statement that does it.

pub mod campus;
pub mod catalogue;
pub mod dead_letters;
pub mod ibam;
pub mod mail;
pub mod rehearse;
pub mod replay;
pub mod suppliers;

/// Who acts: as given, else whoever is signed in to this machine.
pub fn actor(given: Option<String>) -> String {
    let signed_in = || ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    given.or_else(signed_in).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
