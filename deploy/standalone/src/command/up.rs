//! `lychgate up`: everything in one process; what is not configured is embedded.

use std::path::Path;

use anyhow::Context;
use lychgate_common::{
    clock::Clock,
    secret::Secret,
    store::{Store, StoreSettings},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::{CommonOptions, UpOptions},
    embedded::{DataDir, Embedded},
    output,
};

/// Runs until it is told to stop.
pub(crate) fn run(options: &UpOptions, common: &CommonOptions) -> anyhow::Result<()> {
    let data = if options.ephemeral { DataDir::ephemeral()? } else { DataDir::open(&options.data)? };
    let embedded = match &common.database {
        Some(_) => None,
        None => Some(start_embedded(&data, None)?),
    };
    let url = match (&common.database, &embedded) {
        (Some(url), _) => Secret::from(url.as_str()),
        (None, Some(embedded)) => embedded.url(),
        (None, None) => anyhow::bail!("no database"),
    };
    let served = tokio::runtime::Runtime::new()?.block_on(serve(url));
    if let Some(embedded) = embedded {
        embedded.stop();
    }
    served
}

fn start_embedded(data: &DataDir, binaries: Option<&Path>) -> anyhow::Result<Embedded> {
    let embedded = Embedded::start(data, binaries, &mut |note| output::aside(note))?;
    output::aside(format_args!(
        "PostgreSQL {} in {} (look inside: {})",
        embedded.version(),
        embedded.directory().display(),
        embedded.psql()
    ));
    Ok(embedded)
}

async fn serve(url: Secret) -> anyhow::Result<()> {
    let store = Store::open(&StoreSettings::new(url), Clock::system())?;
    store.migrate().await.context("the schema cannot be brought up to date")?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    Ok(())
}
