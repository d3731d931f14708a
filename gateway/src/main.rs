//! `lychgate-gateway`: the gateway alone, for images that hold nothing else.

use std::process::ExitCode;

use clap::Parser;
use lychgate_common::process::{self, Options};

/// Events are made by one thread and let go by another, which the system's allocator pays for with locks and searches.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lychgate's gateway: takes webhooks in and makes them durable. The same as `lychgate gateway`.
#[derive(Debug, Parser)]
#[command(name = "lychgate-gateway", version)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let settings = Cli::parse().options.settings();
    process::report("lychgate-gateway", settings.and_then(lychgate_gateway::process::run))
}
