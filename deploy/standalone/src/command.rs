//! One file per command.

pub(crate) mod campus;
pub(crate) mod catalogue;
pub(crate) mod check;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod ibam;
pub(crate) mod mail;
mod migrate;
pub(crate) mod secrets;
pub(crate) mod send;
mod suppliers;
pub(crate) mod topology;
pub(crate) mod up;
pub(crate) mod webhooks;

use crate::{
    cli::{Cli, Command},
    output::Usage,
    settings::Found,
};

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let common = cli.common;
    if cli.command.is_some() && !cli.up.is_usual() {
        return Err(Usage("options of a command stand behind it: `lychgate up --data DIR`".to_owned()).into());
    }
    match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(options) => up::run(&options, &common),
        Command::Gateway => Ok(lychgate_gateway::process::run(common.settings()?)?),
        Command::Worker => Ok(lychgate_worker::process::run(common.settings()?)?),
        Command::Check(check) => check::run(&check, &Found::read(&common)?),
        Command::Send(send) => block_on(send::run(&send, &common)),
        Command::Events(events) => block_on(events::run(&events, &Found::read(&common)?)),
        Command::DeadLetters(dead_letters) => block_on(dead_letters::run(&dead_letters, &Found::read(&common)?)),
        Command::Campus(campus) => block_on(campus::run(campus, &Found::read(&common)?)),
        Command::Ibam(asked) => block_on(ibam::run(asked, &Found::read(&common)?)),
        Command::Mail(asked) => block_on(mail::run(&asked, &Found::read(&common)?)),
        Command::MagicToken(asked) => block_on(ibam::magic_token(asked, &Found::read(&common)?)),
        Command::Suppliers(asked) => block_on(suppliers::run(asked, &Found::read(&common)?)),
        Command::Webhooks(webhooks) => block_on(webhooks::run(webhooks, &Found::read(&common)?)),
        Command::Topology(topology) => block_on(topology::run(topology, &Found::read(&common)?)),
        Command::Secrets(secrets) => block_on(secrets::run(&secrets, &Found::read(&common)?)),
        Command::Migrate => block_on(migrate::run(&Found::read(&common)?)),
    }
}

/// Runs a short command; those that serve make a larger runtime of their own.
fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
