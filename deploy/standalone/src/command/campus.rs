//! `lychgate campus`: the campuses of document B, their secrets and their reconciliation.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use lychgate_common::{
    campus::{Directory, DirectorySettings, SyncMethod},
    secret::Secret,
    store::Store,
    vault::Vault,
};
use lychgate_worker::{
    breaker::Breakers,
    core_api::CoreApi,
    operate::{
        actor,
        campus::{self, CampusToAdd, DEFAULT_OVERLAP},
    },
    reconcile::Reconciler,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    output::{self, Usage, clean},
    settings::Found,
};

/// What can be done with campuses.
#[derive(Debug, Subcommand)]
pub(crate) enum Campus {
    /// Configure a campus; prints its webhook secret, once
    Add(Add),
    /// List the campuses and when their secrets were last used
    List(Listing),
    /// Take a campus's webhooks again
    Enable(Which),
    /// Answer a campus's webhooks with 403
    Disable(Which),
    /// Make a new webhook secret; the old one goes on verifying for a while
    RotateSecret(Rotate),
    /// Compare a campus with its core system now
    Reconcile(Reconcile),
}

/// Options of `campus add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The core system's name for the campus
    #[arg(long, value_name = "ID")]
    church_id: String,
    /// A name for people; the church id unless given
    #[arg(long)]
    name: Option<String>,
    /// Base URL of the core system, with https
    #[arg(long, value_name = "URL")]
    core_url: String,
    /// Bearer token for the core system: `env:NAME`, `file:PATH`, or the token itself
    #[arg(long, value_name = "TOKEN")]
    core_token: String,
    /// Time zone of the daily reconciliation, e.g. Asia/Jakarta
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Sync filters as JSON
    #[arg(long, value_name = "JSON")]
    filters: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `campus list`.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Names a campus.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The core system's name for the campus
    #[arg(long, value_name = "ID")]
    church_id: String,
}

/// Options of `campus rotate-secret`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The core system's name for the campus
    #[arg(long, value_name = "ID")]
    church_id: String,
    /// How many hours the old secret goes on verifying [default: 24]
    #[arg(long, value_name = "HOURS")]
    overlap: Option<u32>,
}

/// Options of `campus reconcile`.
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// The core system's name for the campus
    #[arg(long, value_name = "ID")]
    church_id: String,
    /// Believe the core system even where it has less than half of what is stored
    #[arg(long)]
    force: bool,
}

/// Does what was asked.
pub(crate) async fn run(campus: Campus, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    match campus {
        Campus::Add(add) => run_add(add, found, &store).await,
        Campus::List(list) => run_list(&list, &store).await,
        Campus::Enable(which) => Ok(campus::enable(&store, &which.church_id, true, &actor(None)).await?),
        Campus::Disable(which) => Ok(campus::enable(&store, &which.church_id, false, &actor(None)).await?),
        Campus::RotateSecret(rotate) => run_rotate(&rotate, found, &store).await,
        Campus::Reconcile(reconcile) => run_reconcile(&reconcile, found, store).await,
    }
}

fn vault(found: &Found) -> anyhow::Result<Vault> {
    let missing =
        "`secrets.encryption_key` is not set: campuses' credentials are sealed with it (openssl rand -base64 32)";
    Ok(found.settings.secrets.vault()?.ok_or_else(|| Usage(missing.to_owned()))?)
}

/// `env:NAME`, `file:PATH` or the value itself.
fn referenced(text: &str) -> anyhow::Result<Secret> {
    let value = match text.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| Usage(format!("the variable {name} is not set")))?,
        Some(("file", path)) => std::fs::read_to_string(path)?.trim_end().to_owned(),
        Some(_) | None => text.to_owned(),
    };
    Ok(Secret::from(value.as_str()))
}

async fn run_add(add: Add, found: &Found, store: &Store) -> anyhow::Result<()> {
    let campus = CampusToAdd {
        church_id: add.church_id,
        name: add.name,
        core_url: add.core_url,
        core_token: referenced(&add.core_token)?,
        time_zone: Some(add.time_zone),
        sync_method: SyncMethod::Webhook,
        filters: add.filters,
        initial_engagement: None,
    };
    let added = campus::add(store, &vault(found)?, campus, &actor(None)).await?;
    for warning in &added.warnings {
        output::aside(format_args!("note: {warning}"));
    }
    let secret = added.webhook_secret.expose_str().unwrap_or_default();
    if add.json {
        return output::json(&json!({
            "campus_id": added.campus_id, "church_id": added.church_id, "webhook_secret": secret
        }));
    }
    output::line(format_args!("campus_id={}\nwebhook_secret={secret}", added.campus_id));
    output::aside("the secret is not shown again; `lychgate campus rotate-secret` makes a new one");
    Ok(())
}

async fn run_list(list: &Listing, store: &Store) -> anyhow::Result<()> {
    for campus in campus::list(store).await? {
        if list.json {
            output::json(&campus)?;
            continue;
        }
        let enabled = if campus.enabled { "enabled" } else { "disabled" };
        output::line(format_args!(
            "{}  {enabled}  {}  {}",
            campus.campus_id,
            clean(&campus.church_id),
            clean(&campus.name)
        ));
    }
    Ok(())
}

async fn run_rotate(rotate: &Rotate, found: &Found, store: &Store) -> anyhow::Result<()> {
    let overlap = rotate.overlap.map_or(DEFAULT_OVERLAP, |hours| Duration::from_secs(u64::from(hours) * 3600));
    let rotated = campus::rotate_secret(store, &vault(found)?, &rotate.church_id, overlap, &actor(None)).await?;
    output::line(format_args!("webhook_secret={}", rotated.webhook_secret.expose_str().unwrap_or_default()));
    output::aside(format_args!("the old secret goes on verifying until {}", rotated.old_until));
    Ok(())
}

async fn run_reconcile(reconcile: &Reconcile, found: &Found, store: Store) -> anyhow::Result<()> {
    let settings = &found.settings.faithflow;
    let directory = Arc::new(Directory::new(store.clone(), Arc::new(vault(found)?), DirectorySettings::default()));
    let core = CoreApi::open(settings, Breakers::new(settings.into()))?;
    let reconciler = Reconciler::new(store, directory, core, settings.into(), &actor(None));
    let stop = CancellationToken::new();
    let report = campus::reconcile(&reconciler, &reconcile.church_id, reconcile.force, &stop).await?;
    output::json(&report)
}
