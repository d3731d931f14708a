//! What the commands say, and with which code they end.
//!
//! Results go to standard output, everything else to standard error. A reader that has gone away (`| head`) ends us
//! quietly, without a panic.

use std::{fmt, io::Write, process::ExitCode};

/// The user asked for something that cannot be: wrong usage, or settings with mistakes. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Prints one line of result.
pub(crate) fn line(text: impl fmt::Display) {
    // A closed pipe means that nobody wants to know any more.
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints one line for the person at the terminal, not for a program that reads our results.
pub(crate) fn aside(text: impl fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Says why a command failed: the error and its causes, one line where they fit.
pub(crate) fn complain(error: &anyhow::Error) {
    aside(format_args!("lychgate: {error:#}"));
}

/// 2 for [`Usage`] anywhere in the chain, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(|cause| cause.is::<Usage>()) { ExitCode::from(2) } else { ExitCode::FAILURE }
}
