//! SIGHUP: the settings are read again, and other sources, secrets and limits are put in force without dropping a request.
//!
//! Only the sources are swapped; every other setting needs a restart, and the log says which ones wait for it. Settings
//! with a mistake change nothing.

use std::sync::Arc;

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::{Ground, StartError, mistakes};
use crate::{
    settings::{Faults, Settings},
    source::{Keys, Source, from_settings},
};

impl Ground {
    /// Listens for SIGHUP from now on, until the process ends.
    pub fn reload_on_hangup(&self) -> Result<(), StartError> {
        let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Runtime)?;
        let ground = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    heard = hangup.recv() => if heard.is_none() { return },
                    () = ground.stop.stopping() => return,
                }
                ground.reload();
            }
        });
        Ok(())
    }

    /// Gives `put` the sources of every reload, until the process ends.
    pub fn on_reload(&self, put: impl Fn(&[Source]) + Send + 'static) -> JoinHandle<()> {
        let mut reloads = self.reloads.subscribe();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = reloads.changed() => if changed.is_err() { return },
                    () = stop.stopping() => return,
                }
                let sources = Arc::clone(&reloads.borrow_and_update());
                put(&sources);
            }
        })
    }

    /// Reads the settings again and tells everybody.
    fn reload(&self) {
        match again(&self.settings) {
            Ok((settings, sources)) => {
                announce(&self.settings, &settings, &sources);
                self.reloads.send_replace(sources.into());
            }
            Err(faults) => tracing::error!(
                mistakes = %mistakes(&faults),
                "the settings were not reloaded; what was in force stays in force"
            ),
        }
    }
}

fn again(settings: &Settings) -> Result<(Settings, Vec<Source>), Faults> {
    let settings = settings.again()?;
    let mut faults = Faults::new();
    let sources = from_settings(&settings, &mut faults);
    faults.none_or((settings, sources))
}

/// Says what is in force now, by the labels of the secrets, and what is not yet.
fn announce(before: &Settings, after: &Settings, sources: &[Source]) {
    for source in sources {
        let secrets = match source.keys() {
            Keys::Fixed(keys) => keys.iter().map(|key| key.label()).collect::<Vec<_>>().join(", "),
            Keys::ByTenant => "by tenant".to_owned(),
        };
        tracing::info!(source = %source.name(), secrets, "in force");
    }
    let waits = before.effective().iter().zip(after.effective()).filter(|(old, new)| old != new);
    let waits: Vec<&str> = waits.map(|(old, _)| old.name.as_str()).collect();
    if !waits.is_empty() {
        tracing::warn!(settings = waits.join(", "), "changed, and in force only after a restart");
    }
    tracing::info!(sources = sources.len(), "the sources were reloaded");
}
