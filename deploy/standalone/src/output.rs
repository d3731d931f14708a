//! What the commands say, and with which code they end.
//!
//! Results go to standard output, everything else to standard error. A reader that has gone away (`| head`) ends us
//! quietly, without a panic.

use std::{fmt, io::Write, process::ExitCode};

use lychgate_common::process::StartError;
use lychgate_worker::operate::campus::CampusVerbError;

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

/// Prints one JSON object on a line of its own.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// A sender's text made harmless for a terminal: control characters are escaped.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\t' { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// Prints one line for the person at the terminal, not for a program that reads our results.
pub(crate) fn aside(text: impl fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Says why a command failed: the error and its causes on one line, each said once.
pub(crate) fn complain(error: &anyhow::Error) {
    aside(format_args!("lychgate: {}", chain(error)));
}

/// Many of our errors name their cause in their own text already.
fn chain(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |line, cause| match cause.to_string() {
        text if line.is_empty() => text,
        text if line.contains(&text) => line,
        text => format!("{line}: {text}"),
    })
}

/// 2 for wrong usage or settings anywhere in the chain, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let wrong = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Usage>()
            || matches!(cause.downcast_ref(), Some(StartError::Settings(_)))
            || matches!(cause.downcast_ref(), Some(CampusVerbError::Input(_)))
    };
    if error.chain().any(wrong) { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// How this program was called, as far as it can be typed again.
pub(crate) fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') { called } else { "lychgate".to_owned() }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("no such host").context("cannot send: no such host");
        assert_eq!(chain(&error), "cannot send: no such host");
        let error = Err::<(), _>(std::io::Error::other("full")).context("cannot write").unwrap_err();
        assert_eq!(chain(&error), "cannot write: full");
    }

    #[test]
    fn a_senders_text_cannot_command_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }
}
