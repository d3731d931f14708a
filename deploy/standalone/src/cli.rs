//! What can be asked on the command line. The texts here are the manual.

mod moment;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use lychgate_common::process::Options;

pub(crate) use self::moment::Moment;
use crate::command::{
    campus::Campus,
    catalogue,
    check::Check,
    dead_letters::DeadLetters,
    events::Events,
    ibam::{Ibam, MagicTokens},
    mail::Mail,
    secrets::Secrets,
    send::Send,
    topology::Topology,
    webhooks::Webhooks,
};

/// Where `up` keeps its data unless told otherwise.
pub(crate) const DEFAULT_DATA: &str = "lychgate-data";

/// A queue-backed webhook gateway: every webhook is durable before it is answered, processed exactly once, and kept
/// until an operator has dealt with it where it cannot be processed.
#[derive(Debug, Parser)]
#[command(name = "lychgate", version)]
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
    pub(crate) common: Options,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run gateway and worker in one process; what is not configured is embedded (the default)
    Up(UpOptions),
    /// Run a gateway: takes webhooks in and makes them durable
    Gateway,
    /// Run a worker: processes what gateways have made durable
    Worker,
    /// Say what is wrong with the settings, and what the sources accept; starts nothing
    Check(Check),
    /// Send a webhook as a source's real sender would, and say what came back
    Send(Send),
    /// Bring the database's schema up to this version; forward only
    Migrate,
    /// Look into the ledger of events
    #[command(subcommand)]
    Events(Events),
    /// Deal with events that could not be processed
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Manage the campuses whose members FaithFlow keeps in step
    #[command(subcommand)]
    Campus(Campus),
    /// Manage what Systeme.io's tags, courses and plans mean at IBAM
    #[command(subcommand)]
    Ibam(Ibam),
    /// Manage who can be given SleekApp's orders; paid orders that wait for a supplier get one within seconds
    #[command(subcommand)]
    Suppliers(catalogue::Verb),
    /// See what mails wait, keep their texts, try whether they can be sent
    #[command(subcommand)]
    Mail(Mail),
    /// Let a learner of IBAM in by hand
    #[command(subcommand)]
    MagicToken(MagicTokens),
    /// See which secrets are in force, and when each last verified a request
    #[command(subcommand)]
    Secrets(Secrets),
    /// Manage who is told of which events: webhooks of our own
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Look after RabbitMQ's exchanges and queues
    #[command(subcommand)]
    Topology(Topology),
}

/// Options of `up`.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub(crate) struct UpOptions {
    /// Directory for everything that is kept: settings, database, log; to start afresh, delete what `up` names
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub(crate) data: PathBuf,
    /// Address for the senders; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of /livez, /readyz and /metrics [default: 127.0.0.1:9464]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) ops: Option<SocketAddr>,
    /// Address of the operators' page; this version has none, and nothing listens there [default: 127.0.0.1:8090]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) console: Option<SocketAddr>,
    /// Keep nothing: a temporary directory, removed at the end
    #[arg(long)]
    pub(crate) ephemeral: bool,
}

impl UpOptions {
    /// Whether nothing was asked for but the usual.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self { data: DEFAULT_DATA.into(), listen: None, ops: None, console: None, ephemeral: false }
    }
}
