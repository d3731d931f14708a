//! With which secret a source's sender signs: the first one of the settings, or the campus's own.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use lychgate_common::{
    campus::{Directory, DirectorySettings},
    secret::Secret,
    settings::Faults,
    source::{Keys, Source},
};

use crate::{output::Usage, settings::Found};

/// The secret.
pub(super) async fn secret(found: &Found, source: &Source, tenant: Option<&str>) -> anyhow::Result<Secret> {
    match source.keys() {
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
            return reader.secrets("secrets").into_iter().flatten().next().context("the source has no secret");
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
