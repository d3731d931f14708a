//! `lychgate suppliers`: who can be given SleekApp's orders.

use lychgate_worker::operate::{actor, suppliers};

use super::catalogue::{Verb, imported, rows, show};
use crate::settings::Found;

/// Does what was asked.
pub(crate) async fn run(asked: Verb, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    match asked {
        Verb::Import(import) => match rows(&import)? {
            Some(rows) => imported(suppliers::import(&store, &rows, import.replace, &actor(None)).await?),
            None => Ok(()),
        },
        verb => show(&verb, &store.suppliers().await?),
    }
}
