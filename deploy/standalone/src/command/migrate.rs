//! `lychgate migrate`: brings the database's schema up to this build's version. Forward only.

use lychgate_common::{clock::Clock, store::Store};

use crate::{output, settings::Found};

/// Applies what is missing and says what it was.
pub(crate) async fn run(found: &Found) -> anyhow::Result<()> {
    let store = Store::open(&found.store_settings()?, Clock::system())?;
    let applied = store.migrate().await?;
    for migration in &applied {
        output::line(format_args!("applied V{} {}", migration.version, migration.name));
    }
    if applied.is_empty() {
        output::line("the schema is up to date");
    }
    Ok(())
}
