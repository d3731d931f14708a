//! What every process can be told on its command line.

use std::path::{Path, PathBuf};

use clap::Args;

use super::StartError;
use crate::settings::{Faults, Input, Override, Settings};

/// Where the settings come from.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// Settings file; by default `lychgate.toml` in the working directory, where it exists
    #[arg(long, global = true, value_name = "FILE", env = "LYCHGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// PostgreSQL to use, as a postgres:// URL; overrides the settings file
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,
    /// RabbitMQ to use, as an amqp:// URL; overrides the settings file
    #[arg(long, global = true, value_name = "URL")]
    pub broker: Option<String>,
}

impl Options {
    /// Reads the file that is named, else the usual one, with the environment and the options over it.
    pub fn settings(&self) -> Result<Settings, StartError> {
        self.settings_of(self.config.as_deref(), Vec::new())
    }

    /// Reads this file (else the usual one) with the environment, these options and `more` over it.
    pub fn settings_of(&self, file: Option<&Path>, mut more: Vec<Override>) -> Result<Settings, StartError> {
        let option = |key, option, value: &Option<String>| value.clone().map(|value| Override { key, option, value });
        more.extend(option("database.url", "--database", &self.database));
        more.extend(option("broker.url", "--broker", &self.broker));
        let input = Input::of_process(file, more).map_err(|fault| StartError::Settings(fault.into()))?;
        Settings::read(&input).map_err(StartError::Settings)
    }
}

/// All mistakes as one text, one a line.
pub fn mistakes(faults: &Faults) -> String {
    let list: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    match faults.len() {
        1 => format!("the settings have a mistake:{}", list.concat()),
        count => format!("the settings have {count} mistakes:{}", list.concat()),
    }
}
