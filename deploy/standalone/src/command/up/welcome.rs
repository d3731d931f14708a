//! What `up` tells the person who started it: what is in use, what to type next, how to look inside, how to go on.

use std::{net::SocketAddr, path::Path};

use lychgate_common::source::{Keys, Source};

use crate::{embedded::Embedded, output::program, settings::Found};

/// What the text is about.
#[derive(Debug)]
pub(super) struct Welcome<'a> {
    pub(super) found: &'a Found,
    pub(super) sources: &'a [Source],
    pub(super) data: &'a Path,
    pub(super) embedded: Option<&'a Embedded>,
    /// The settings were written just now.
    pub(super) first_time: bool,
}

impl Welcome<'_> {
    /// The text; for standard error, because standard output is for the addresses.
    pub(super) fn text(&self, listen: SocketAddr) -> String {
        let settings = &self.found.settings;
        let file = self.found.file.as_deref().unwrap_or(Path::new("")).display();
        let written = if self.first_time { " (written just now, with fresh secrets)" } else { "" };
        let store = match self.embedded {
            Some(embedded) => {
                format!("PostgreSQL {}, private, in {}", embedded.version(), embedded.directory().display())
            }
            None => "PostgreSQL of `database.url`".to_owned(),
        };
        let queue = match settings.broker.url {
            Some(_) => "RabbitMQ of `broker.url`",
            None => "the store itself (RabbitMQ: --broker amqp://guest:guest@127.0.0.1:5672)",
        };
        let mut text = format!(
            "\nLychgate is up; senders reach it at http://{listen}\n\n  settings  {file}{written}\n  store     {store}\n  queue     {queue}\n"
        );
        if let Some((source, kind)) = self.sender() {
            text.push_str(&format!(
                "\nSend a signed webhook, from another terminal:\n  {} send{} --source {source} --type {kind} --wait\n",
                program(),
                self.config(),
            ));
        }
        if let Some(embedded) = self.embedded {
            text.push_str(&format!("\nLook inside:\n  {}\n", embedded.psql()));
            let data = self.data.display();
            let everything = match embedded.home_elsewhere(self.data) {
                None => format!("Everything is in {data}; delete it to start afresh."),
                Some(home) => format!(
                    "Everything is in {data} and, for PostgreSQL may not enter that, in {}; delete both to start afresh.",
                    home.display()
                ),
            };
            text.push_str(&format!(
                "\n{everything} For production give it a PostgreSQL and a RabbitMQ of their\n\
                 own: `[database] url` and `[broker] url` in the settings, then `lychgate gateway` and `lychgate worker`.\n"
            ));
        }
        text.push_str("\nCtrl-C stops it.\n");
        text
    }

    /// A source and a type to try: the first whose sender documents its types and whose secret is in the settings.
    fn sender(&self) -> Option<(&str, &str)> {
        let fixed = |source: &&Source| matches!(source.keys(), Keys::Fixed(_));
        let kind = |source: &'_ Source| source.known_kinds().first().copied().unwrap_or("hello");
        self.sources.iter().find(fixed).map(|source| (source.name().as_ref(), kind(source)))
    }

    /// The option that leads other commands to our settings, where they would not find them.
    fn config(&self) -> String {
        match &self.found.file {
            Some(file) if !Found::is_usual(file) => format!(" --config {}", file.display()),
            _ => String::new(),
        }
    }
}
