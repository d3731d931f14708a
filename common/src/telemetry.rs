//! The log: where it goes, how it looks, and its first line.
//!
//! Logs go to standard error, because standard output belongs to what a command answers; panics go there as lines of the
//! log, or a reader of JSON would choke on them. Never logs bodies, secrets or signatures; the settings in the first line
//! are redacted.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::queue::broker;
use crate::settings::{LogFormat, LogSettings, Settings};

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which build this is: the variable `LYCHGATE_BUILD` at compile time (a commit, say), else `dev`.
pub const BUILD: &str = match option_env!("LYCHGATE_BUILD") {
    Some(build) => build,
    None => "dev",
};

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives of `log.level` are wrong (settings that were read are not).
    #[error("`log.level` cannot be read: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// It was set up before.
    #[error("the log was set up before: {0}")]
    Again(Box<dyn std::error::Error + Send + Sync>),
}

/// Sets the log up for the whole process.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let mut filter = EnvFilter::try_new(settings.level.as_str())?;
    for hushed in broker::HUSHED_LOG {
        filter = filter.add_directive(hushed.parse()?);
    }
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(TelemetryError::Again)?;
    log_panics();
    Ok(())
}

/// Where, and not in which words: those may repeat a body.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(ToString::to_string), "panicked: a defect of this program");
    }));
}

/// The first line: what is starting, which build, and every setting that is not the default.
pub fn announce(process: &str, settings: &Settings) {
    tracing::info!(process, version = VERSION, build = BUILD, settings = changed(settings), "starting");
}

fn changed(settings: &Settings) -> String {
    let changed = settings.effective().iter().filter(|shown| !shown.default);
    let mut lines: Vec<_> = changed.map(|shown| format!("{} = {}", shown.name, shown.value)).collect();
    lines.extend(settings.sources.iter().map(|source| source.path().to_owned()));
    lines.join(", ")
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::settings::Input;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_a_line_of_the_log_and_does_not_tell_its_words() {
        let written = Written::default();
        let writer = written.clone();
        let lines = fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(lines, || {
            let before = std::panic::take_hook();
            log_panics();
            std::panic::catch_unwind(|| panic!("in the body stood {}", 42)).unwrap_err();
            std::panic::set_hook(before);
        });
        let line: serde_json::Value = serde_json::from_slice(&written.0.lock().unwrap()).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert!(line["at"].as_str().unwrap().contains("telemetry.rs"), "{line}");
        assert!(!line.to_string().contains("in the body stood"), "{line}");
    }

    #[test]
    fn the_first_line_names_changed_settings_and_no_secret() {
        let mut input = Input::default();
        for (name, value) in [("URL", "postgres://a:hunter2@db"), ("CONNECTIONS", "9")] {
            input.environment.insert(format!("LYCHGATE_DATABASE__{name}"), value.to_owned());
        }
        let line = changed(&Settings::read(&input).unwrap());
        assert!(line.starts_with("database.url = (secret ") && line.ends_with("), database.connections = 9"), "{line}");
        assert!(!line.contains("hunter2"));
    }
}
