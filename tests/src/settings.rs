//! A settings file for a test: the least that works, and whatever the test adds.

use std::{fmt::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// Secrets of the sources that every test has.
pub mod secrets {
    /// Source `platform`.
    pub const PLATFORM: &str = "platform-secret-0123456789abcdef";
    /// Source `stripe`.
    pub const STRIPE: &str = "whsec_stripe0123456789abcdef";
    /// Source `github`.
    pub const GITHUB: &str = "github-secret-0123456789abcdef";
    /// Source `std`, of the preset `standard-webhooks`.
    pub const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    /// Source `generic`.
    pub const GENERIC: &str = "generic-secret-0123456789abcdef";
}

/// A settings file in the making.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    text: String,
    variables: Vec<(String, String)>,
}

impl Settings {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds lines of TOML.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        writeln!(self.text, "{toml}").unwrap();
        self
    }

    /// Adds a variable to the environment of whatever is started with these settings.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The variables.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds the sources that every test has, with [`secrets`] and no rate
    /// limits (a platform's default would defer a load).
    #[must_use]
    pub fn with_sources(self) -> Self {
        let source = |name: &str, preset: &str, path: &str, secret: &str| {
            format!(
                "[[source]]\nname = {name:?}\npreset = {preset:?}\npath = {path:?}\nsecrets = [{secret:?}]\nrate_limit = \"off\"\n"
            )
        };
        self.with(&source("platform", "platform", "/webhooks/platform", secrets::PLATFORM))
            .with(&source("stripe", "stripe", "/webhooks/stripe", secrets::STRIPE))
            .with(&source("github", "github", "/in/github", secrets::GITHUB))
            .with(&source("std", "standard-webhooks", "/in/std", secrets::STANDARD))
            .with(&source("generic", "generic", "/in/generic", secrets::GENERIC))
            .with("[[source]]\nname = \"faithflow\"\npreset = \"faithflow\"\nrate_limit = \"off\"\n")
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it, readable by its owner only.
    pub fn write(&self, path: &Path) {
        use std::io::Write;
        let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
        file.write_all(self.text.as_bytes()).unwrap();
    }
}
