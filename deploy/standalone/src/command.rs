//! One file per command.

mod up;

use crate::cli::{Cli, Command};

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let common = cli.common;
    match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(options) => up::run(&options, &common),
    }
}
