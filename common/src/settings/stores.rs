//! `[database]`, `[broker]`, `[secrets]`: what the processes stand on.
//!
//! URLs hold passwords and are secrets. Neither URL is demanded here: `lychgate up` brings its own database, and without
//! a broker the store is the queue.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    EncryptionKey, Fault,
    setting::section,
    tree::{Node, Value},
    value::{Context, Readable, readable_text},
};
use crate::{
    queue::{RetrySchedule, Shards, broker::BrokerSettings},
    secret::Secret,
    store::StoreSettings,
    vault::{Vault, VaultError},
};

section! {
    /// How PostgreSQL is reached.
    pub struct DatabaseSettings in "database" {
        /// A postgres:// URL, by reference. Unset: `lychgate up` runs a private server; everything else needs it.
        url: Option<Secret> = None;
        /// The folder of PostgreSQL's programs, for the private server. Unset: PATH, then where the packages put them.
        binaries: Option<PathBuf> = None;
        /// Connections of one process. Eight: the writers of gateway and worker, and some for reads beside them.
        connections: u16 = 8, in 2..=500;
        /// How long to wait for a free connection. Short: a sender waits with us.
        wait: Duration = Duration::from_secs(1), in Duration::from_millis(10)..=Duration::from_secs(60);
        /// How long a new connection may take.
        connect: Duration = Duration::from_secs(3), in Duration::from_millis(10)..=Duration::from_secs(60);
        /// The server's deadline for one statement: longer than any batch takes, shorter than a sender's patience. A server
        /// that has said nothing 2 s later is taken for away.
        statement: Duration = Duration::from_secs(10), in Duration::from_millis(10)..=Duration::from_secs(300);
    }
}

section! {
    /// How RabbitMQ is reached.
    pub struct BrokerSection in "broker" {
        /// An amqp:// or amqps:// URL, by reference. Unset: the store is the queue.
        url: Option<Secret> = None;
        /// What every exchange's and queue's name starts with. Its end is the topology's version, because a queue's
        /// arguments cannot be changed, only its name.
        prefix: Prefix = Prefix::default();
        /// Main queues. One is enough for one broker node and some 10,000 events a second.
        shards: Shards = Shards::ONE;
        /// Channels that publish side by side. Two: one sends while the other waits for confirms.
        channels: u8 = 2, in 1..=16;
        /// How long a batch may wait for its confirms; after it the connection is given up and the sweeper takes over.
        publish_deadline: Duration = Duration::from_secs(2), in Duration::from_millis(50)..=Duration::from_secs(60);
        /// How long connecting may take.
        connect_deadline: Duration = Duration::from_secs(10), in Duration::from_millis(50)..=Duration::from_secs(60);
        /// The AMQP heartbeat: a silent broker is noticed after twice this. RabbitMQ's own 60 s would mean two minutes.
        heartbeat: Duration = Duration::from_secs(10), in Duration::from_secs(1)..=Duration::from_secs(600);
        /// How long an event that could not be worked on is held before it is given back. Without the pause a worker that
        /// is in trouble would use up the queue's delivery limit within a second.
        return_pause: Duration = Duration::from_secs(10), in Duration::from_millis(10)..=Duration::from_secs(600);
    }
}

section! {
    /// What secrets at rest are protected with.
    pub struct SecretsSettings in "secrets" {
        /// 32 bytes in base64 or hex, by reference (`openssl rand -base64 32`): encrypts the credentials that are kept in
        /// the database. Needed by every source that keeps some (campuses).
        encryption_key: Option<EncryptionKey> = None;
        /// Keys that were used before: what they encrypted can still be read, and is written anew with the current one.
        previous_keys: Vec<EncryptionKey> = Vec::new();
    }
}

/// How much longer than the server's own deadline we wait for its word.
const SPARE: Duration = Duration::from_secs(2);

impl DatabaseSettings {
    /// How long an answer may take before the database is taken for away: its own deadlines stand still when it does.
    pub fn patience(&self) -> Duration {
        self.statement.saturating_add(SPARE)
    }

    /// What the store needs, with this URL (of a private server, say).
    pub fn store(&self, url: Secret) -> StoreSettings {
        StoreSettings {
            connections: usize::from(self.connections),
            wait: self.wait,
            connect: self.connect,
            statement: self.statement,
            ..StoreSettings::new(url)
        }
    }

    /// What the store needs, for a process that brings no database of its own.
    pub fn required(&self) -> Result<StoreSettings, Fault> {
        let url = self.url.clone().ok_or_else(|| Fault {
            at: "database.url".to_owned(),
            what: "is missing: set it in the file (\"env:DATABASE_URL\"), as LYCHGATE_DATABASE__URL or by --database"
                .to_owned(),
        })?;
        Ok(self.store(url))
    }
}

impl BrokerSection {
    /// What the broker needs, where one is set; the delay levels and the drain come from other sections.
    pub fn broker(&self, schedule: &RetrySchedule, drain: Duration) -> Option<BrokerSettings> {
        let url = self.url.clone()?;
        Some(BrokerSettings {
            prefix: Arc::from(self.prefix.as_str()),
            shards: self.shards,
            schedule: schedule.clone(),
            channels: self.channels,
            publish_deadline: self.publish_deadline,
            connect_deadline: self.connect_deadline,
            heartbeat: self.heartbeat,
            drain_deadline: drain,
            return_pause: self.return_pause,
            ..BrokerSettings::new(url)
        })
    }
}

impl SecretsSettings {
    /// What encrypts at rest, where a key is set.
    ///
    /// # Errors
    /// [`VaultError::KeyLength`], which a key that was read here cannot have.
    pub fn vault(&self) -> Result<Option<Vault>, VaultError> {
        let previous: Vec<_> = self.previous_keys.iter().map(|key| key.secret().clone()).collect();
        self.encryption_key.as_ref().map(|key| Vault::new(key.secret(), &previous)).transpose()
    }
}

/// What the broker's names start with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix(String);

impl Prefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = (1..=100).contains(&text.len()) && text.chars().all(known) && !text.starts_with("amq.");
        fits.then(|| Self(text.to_owned()))
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("lychgate.v1".to_owned())
    }
}

readable_text!(
    Prefix,
    "1 to 100 letters, digits, dots, hyphens and underscores, not starting with \"amq.\" (RabbitMQ's own)",
    Prefix::parse,
    |it| format!("\"{}\"", it.0)
);

impl Readable for Shards {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let count = match &node.value {
            Value::Integer(count) => u16::try_from(*count).ok(),
            Value::Text(text) => text.parse().ok(),
            Value::Flag(_) | Value::List(_) | Value::Table(_) => None,
        };
        match count.and_then(Self::new) {
            Some(shards) => Some(shards),
            None => cx.wrong(node, "must be a whole number from 1 to 64"),
        }
    }

    fn show(&self) -> String {
        self.all().count().to_string()
    }
}
