//! What can be asked on the command line. The texts here are the manual.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// A queue-backed webhook gateway: every webhook is durable before it is answered, processed exactly once, and kept
/// until an operator has dealt with it where it cannot be processed.
#[derive(Debug, Parser)]
#[command(name = "lychgate", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command: `up`. Exit codes: 0 done, 2 wrong usage or settings, 1 anything else.")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Options of `up`, when no command is given.
    #[command(flatten)]
    pub(crate) up: UpOptions,
    /// Options of every command.
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

/// Where the settings come from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CommonOptions {
    /// Settings file; by default `lychgate.toml` in the working directory, where it exists
    #[arg(long, global = true, value_name = "FILE", env = "LYCHGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// PostgreSQL to use, as a postgres:// URL; overrides the settings file
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// RabbitMQ to use, as an amqp:// URL; overrides the settings file
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) broker: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run gateway and worker in one process; what is not configured is embedded (the default)
    Up(UpOptions),
}

/// Options of `up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpOptions {
    /// Directory for everything that is kept: settings, database, log; delete it to start afresh
    #[arg(long, value_name = "DIR", default_value = "./lychgate-data")]
    pub(crate) data: PathBuf,
    /// Address for the senders; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of /livez, /readyz and /metrics [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ops: Option<SocketAddr>,
    /// Keep nothing: a temporary directory, removed at the end
    #[arg(long)]
    pub(crate) ephemeral: bool,
}
