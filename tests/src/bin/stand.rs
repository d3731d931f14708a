//! Starts a private PostgreSQL and a private RabbitMQ, runs a command that finds them in its environment, stops both.
//!
//! `stand COMMAND ARGUMENTS…`. What the whole test run shares; ends with the command's own exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::process::{ExitCode, Stdio};

use lychgate_tests::{Node, Postgres};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().expect("usage: stand COMMAND ARGUMENTS…");
    let (postgres, node) = tokio::join!(Postgres::start(), Node::start());
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env("LYCHGATE_TEST_DATABASE", postgres.admin_url())
        .env("LYCHGATE_TEST_BROKER", node.home())
        .env("LYCHGATE_TEST_BROKER_URL", node.url())
        .stdin(Stdio::null());
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    let mut child = command.kill_on_drop(true).spawn().expect("the command cannot be started");
    let status = tokio::select! {
        status = child.wait() => status.unwrap(),
        // The command is in our group and has been told as well: let it end on its own.
        _ = interrupt.recv() => child.wait().await.unwrap(),
        _ = terminate.recv() => { child.start_kill().unwrap(); child.wait().await.unwrap() }
    };
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
