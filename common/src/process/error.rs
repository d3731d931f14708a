//! Why a process could not start, and with which code it ends.

use std::{error::Error, io, io::Write, net::SocketAddr, process::ExitCode};

use crate::{
    metrics::MetricsError, queue::broker::BrokerError, settings::Faults, store::StoreError, telemetry::TelemetryError,
    vault::VaultError,
};

/// A start that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings have mistakes: exit code 2.
    #[error("{}", super::options::mistakes(.0))]
    Settings(Faults),
    /// The store cannot be used.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The broker's settings are of no use.
    #[error("the broker cannot be used: {0}")]
    Broker(#[from] BrokerError),
    /// The encryption key is of no use.
    #[error("`secrets.encryption_key` cannot be used: {0}")]
    Vault(#[from] VaultError),
    /// A metric is declared twice.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The log cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source} (choose another with {option}; port 0 picks a free one)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What chooses it.
        option: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A worker was given nothing more although nobody had told it to end.
    #[error("the queue has ended by itself, which is a defect of this program: start it again (the log says where)")]
    Deserted,
    /// The system gives no threads, signals or sockets.
    #[error("the process cannot be set up: {0}")]
    Runtime(io::Error),
}

/// Says on standard error why a process ends, and with which code: 0 done, 2 wrong settings, 1 anything else.
pub fn report(program: &str, ended: Result<(), StartError>) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    let mut line = format!("{program}: {error}");
    let mut cause = error.source();
    while let Some(beneath) = cause {
        let text = beneath.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = beneath.source();
    }
    // With standard error closed there is nobody to tell.
    writeln!(io::stderr().lock(), "{line}").ok();
    match error {
        StartError::Settings(_) => ExitCode::from(2),
        StartError::Store(_)
        | StartError::Broker(_)
        | StartError::Vault(_)
        | StartError::Metrics(_)
        | StartError::Telemetry(_)
        | StartError::Listen { .. }
        | StartError::Deserted
        | StartError::Runtime(_) => ExitCode::FAILURE,
    }
}
