//! `[ops]`, `[console]`, `[log]`: what operators look at.
//!
//! Neither listener is ever the public one.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::{setting::section, value::readable_text};
use crate::secret::Secret;

section! {
    /// Health and metrics.
    pub struct OpsSettings in "ops" {
        /// Where `/livez`, `/readyz` and `/metrics` are served. Loopback; in a container the pod's address.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9464));
        /// What operators show as `Authorization: Bearer …` to try a payload on `/webhooks/test-simulation`, by
        /// reference. Unset: nobody can.
        operator_token: Option<Secret> = None;
    }
}

section! {
    /// The operators' web page: this version has none.
    pub struct ConsoleSettings in "console" {
        /// Where the console will be served. This version has none: nothing listens there. Loopback: it will show bodies
        /// of events, so whoever opens it further must mean it.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8090));
    }
}

section! {
    /// The log on standard error.
    pub struct LogSettings in "log" {
        /// "text" for eyes, "json" for machines.
        format: LogFormat = LogFormat::Text;
        /// A level, or directives like "info,lychgate_gateway=debug". The AMQP client is chatty below "warn".
        level: LogLevel = LogLevel::default();
    }
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.name() == text)
    }

    /// As written in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

readable_text!(LogFormat, "\"text\" or \"json\"", LogFormat::parse, |it| format!("\"{}\"", it.name()));

/// What is logged: checked directives of a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info,lapin=warn".to_owned())
    }
}

readable_text!(
    LogLevel,
    "a level (error, warn, info, debug, trace) or directives like \"info,lychgate_gateway=debug\"",
    |text| EnvFilter::try_new(text).ok().filter(|_| !text.is_empty()).map(|_| LogLevel(text.to_owned())),
    |it| format!("\"{}\"", it.0)
);
