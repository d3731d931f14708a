//! The one binary: gateway, worker and the operator's commands.
//!
//! Nothing is decided here: [`cli`] says what can be asked, one file under [`command`] does each thing, and this one
//! turns the result into an exit code (0 done, 2 wrong usage or settings, 1 anything else).

mod cli;
mod command;
mod embedded;
mod output;
mod settings;

use std::process::ExitCode;

use clap::Parser;

/// Events are made by one thread and let go by another, which the system's allocator pays for with locks and searches.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            output::exit_code(&error)
        }
    }
}
