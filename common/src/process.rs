//! How a process of ours starts, stands and ends: options, settings, listeners, what lies under gateway and worker alike,
//! and the exit code.
//!
//! Knows neither side. `lychgate`, `lychgate-gateway` and `lychgate-worker` are this and what they put upon it.

mod error;
mod ground;
mod listeners;
mod options;
mod reload;

use std::future::Future;

pub use self::{
    error::{StartError, report},
    ground::{Duty, Ground},
    listeners::{Addresses, bind},
    options::{Options, mistakes},
};
use crate::{
    settings::{Faults, Settings},
    source::{Source, from_settings},
    stop::Stop,
    telemetry,
};

/// Settings and the sources that they describe; on any mistake in either, all of them.
pub fn sources(settings: &Settings) -> Result<Vec<Source>, StartError> {
    let mut faults = Faults::new();
    let sources = from_settings(settings, &mut faults);
    faults.none_or(sources).map_err(StartError::Settings)
}

/// Sets the log up and writes its first line.
pub fn announce(process: &str, settings: &Settings) -> Result<(), StartError> {
    telemetry::init(&settings.log)?;
    telemetry::announce(process, settings);
    Ok(())
}

/// Starts the runtime, listens for signals and runs `body` to its end.
pub fn run<F>(settings: &Settings, body: impl FnOnce(Stop) -> F) -> Result<(), StartError>
where
    F: Future<Output = Result<(), StartError>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime)?;
    let ended = runtime.block_on(async {
        let stop = Stop::new(settings.stop.deadline);
        // Ends by itself with the process.
        let _listening = stop.on_signals().map_err(StartError::Runtime)?;
        body(stop).await
    });
    // Whatever still runs had its deadline.
    runtime.shutdown_background();
    ended
}
