//! `[database]`, `[broker]`, `[secrets]`: what the processes stand on.
//!
//! URLs hold passwords and are secrets. Neither URL is demanded here: `lychgate up` brings its own database, and without
//! a broker the store is the queue.

use std::{path::PathBuf, time::Duration};

use super::{
    EncryptionKey, Fault,
    setting::section,
    tree::{Node, Value},
    value::{Context, Readable, readable_text},
};
use crate::{queue::Shards, secret::Secret, store::StoreSettings};

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
        /// The server's deadline for one statement: longer than any batch takes, shorter than a sender's patience.
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
    }
}

section! {
    /// What secrets at rest are protected with.
    pub struct SecretsSettings in "secrets" {
        /// 32 bytes in base64, by reference (`openssl rand -base64 32`): encrypts the credentials that are kept in the
        /// database. Needed by every source that keeps some (campuses).
        encryption_key: Option<EncryptionKey> = None;
    }
}

impl DatabaseSettings {
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
