//! Document B's campuses: whose webhooks are taken, with which secrets, and where their core system is.
//!
//! What is stored is in [`crate::store`]; this room holds the opened form and the directory that the gateway and the
//! worker look campuses up in. Nothing here decides what a refused sender is told.

mod directory;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use self::directory::{Directory, DirectorySettings};
use crate::{secret::Secret, store::StoreError, vault::VaultError};

/// A campus as the gateway and the worker see it: nothing in it is sealed any more.
#[derive(Clone, Debug)]
pub struct Campus {
    /// Ours; the tenant of its events.
    pub id: Uuid,
    /// The core system's name for it.
    pub church_id: String,
    /// For people.
    pub name: String,
    /// Whether sync is switched on at all.
    pub enabled: bool,
    /// How it hears of changes.
    pub sync_method: SyncMethod,
    /// Webhook secrets, the newest first, expired ones included until the directory forgets them.
    pub secrets: Vec<WebhookSecret>,
    /// Base URL of the core system's API.
    pub core_api_url: String,
    /// Bearer token for it.
    pub core_token: Secret,
    /// Which members are stored: see `worker/src/handlers/faithflow/filter.rs`.
    pub filters: Value,
    /// The `engagement_status` of a member that sync creates.
    pub initial_engagement: String,
    /// Whose 03:00 the daily reconciliation keeps: an IANA name.
    pub time_zone: String,
}

impl Campus {
    /// The secrets that verify a webhook at `now`, the newest first.
    pub fn active_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let active = move |secret: &&WebhookSecret| secret.expires_at.is_none_or(|at| now < at);
        self.secrets.iter().filter(active).map(|secret| &secret.secret)
    }

    /// Whether a webhook of this campus is taken; otherwise it is answered 403 `Sync is disabled for this campus`.
    pub fn takes_webhooks(&self) -> bool {
        self.enabled && self.sync_method == SyncMethod::Webhook
    }
}

/// One webhook secret of a campus.
#[derive(Clone, Debug)]
pub struct WebhookSecret {
    /// The value.
    pub secret: Secret,
    /// When it stops verifying; `None` for the current one.
    pub expires_at: Option<Timestamp>,
}

/// How a campus hears of changes in its core system.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SyncMethod {
    /// By webhooks, with the daily reconciliation as the safety net.
    #[default]
    Webhook,
    /// By the daily reconciliation only.
    Polling,
}

impl SyncMethod {
    /// The name in the database and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Polling => "polling",
        }
    }
}

impl fmt::Display for SyncMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for SyncMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "webhook" => Ok(Self::Webhook),
            "polling" => Ok(Self::Polling),
            other => Err(format!("unknown sync method `{other}`: webhook or polling")),
        }
    }
}

/// Why a campus could not be looked up or changed. Always our own fault or the operator's, never the sender's.
#[derive(Debug, thiserror::Error)]
pub enum CampusError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed value could not be opened, or a new one not sealed.
    #[error("a campus's secrets cannot be read or written: {0}")]
    Vault(#[from] VaultError),
    /// No campus has this church id.
    #[error("no campus has the church id `{0}`: see `lychgate campus list`")]
    Unknown(String),
    /// A campus with this church id exists already.
    #[error("a campus with the church id `{0}` exists already: see `lychgate campus list`")]
    Exists(String),
}
