//! With which secret a source's sender signs: the one that was given, else the first one of the settings, or the campus's
//! own.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use lychgate_common::{
    campus::{Directory, DirectorySettings},
    secret::Secret,
    settings::Faults,
    source::{Keys, Source},
};

use crate::{output::Usage, settings::Found};

/// What signs instead of a source's own secret.
#[derive(Debug, Default, Args)]
pub(crate) struct GivenKey {
    /// Sign with this, env:NAME or file:PATH: the private half, where the source's secret is a sender's public key
    #[arg(long, value_name = "REF")]
    key: Option<String>,
}

impl GivenKey {
    /// The key, where one was given.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Secret>> {
        let Some(text) = &self.key else { return Ok(None) };
        let value = match text.split_once(':') {
            Some(("env", name)) => std::env::var(name).map_err(|_| Usage(format!("the variable {name} is not set")))?,
            Some(("file", path)) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
            Some(_) | None => return Err(Usage("--key must be env:NAME or file:PATH".to_owned()).into()),
        };
        Ok(Some(Secret::from(value.trim_end())))
    }
}

/// The secret.
pub(super) async fn secret(
    found: &Found,
    source: &Source,
    tenant: Option<&str>,
    given: &GivenKey,
) -> anyhow::Result<Secret> {
    if let Some(key) = given.read()? {
        return Ok(key);
    }
    match source.keys() {
        Keys::Fixed(keys) if source.profile().verifier.needs_private_key(keys) => Err(Usage(format!(
            "only the sender of source `{}` has the private key that signs: give one of your own with --key",
            source.name()
        ))
        .into()),
        Keys::Fixed(_) => configured(found, source.name()),
        Keys::ByTenant => campus(found, source.name(), tenant).await,
    }
}

/// The newest secret, which stands first.
pub(crate) fn configured(found: &Found, name: &str) -> anyhow::Result<Secret> {
    for section in &found.settings.sources {
        // The settings have been read without mistakes before; here only two keys of one table are wanted again.
        let mut faults = Faults::new();
        let mut reader = section.reader(&mut faults);
        if reader.text("name").as_deref() == Some(name) {
            if section.has("origins") {
                // Called from browsers: the origin itself is the credential.
                return Ok(Secret::from(""));
            }
            let secret = reader.secrets("secrets").into_iter().flatten().next();
            return secret.context("the source has no secret");
        }
    }
    Err(anyhow!("the source `{name}` is not in the settings"))
}

async fn campus(found: &Found, name: &str, tenant: Option<&str>) -> anyhow::Result<Secret> {
    let tenant =
        tenant.ok_or_else(|| Usage(format!("source `{name}` has a secret per campus: give --tenant CHURCH_ID")))?;
    let vault = found.settings.secrets.vault()?.context("campuses need `secrets.encryption_key`")?;
    let store = found.store().await?;
    let now = store.clock().now();
    let campus = Directory::new(store, Arc::new(vault), DirectorySettings::default()).find(tenant).await?;
    let campus =
        campus.ok_or_else(|| anyhow!("there is no campus {tenant}: `lychgate campus add --church-id {tenant} …`"))?;
    campus.active_secrets(now).next().cloned().with_context(|| format!("campus {tenant} has no secret in force"))
}
