//! Why the management interface says no: one closed list, each with its name, its status and its words.
//!
//! The words name every mistake at once, each by its JSON pointer. Our own troubles are no refusals.

use hyper::StatusCode;
use thiserror::Error;

use super::Slip;
use crate::{store::StoreError, vault::VaultError};

/// A refusal. `Display` is the `detail` that the caller is shown.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WebhookRefused {
    /// What was sent cannot be: every mistake.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Input(Vec<Slip>),
    /// No webhook has this id.
    #[error("No webhook has the id {0}")]
    Unknown(String),
    /// No delivery of this webhook has this id, or its retention has passed.
    #[error("This webhook has no delivery {0}, or its retention has passed")]
    UnknownDelivery(String),
    /// A delivery that is still under way cannot be made again.
    #[error("This delivery is still under way: it can be resent once it has succeeded or failed")]
    UnderWay,
    /// Nothing to seal secrets with.
    #[error("Webhooks cannot be managed here: secrets.encryption_key is not set, with which their secrets are sealed")]
    NoVault,
}

impl WebhookRefused {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Input(_) => StatusCode::BAD_REQUEST,
            Self::Unknown(_) | Self::UnknownDelivery(_) => StatusCode::NOT_FOUND,
            Self::UnderWay => StatusCode::CONFLICT,
            Self::NoVault => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "webhook_invalid",
            Self::Unknown(_) => "webhook_unknown",
            Self::UnknownDelivery(_) => "delivery_unknown",
            Self::UnderWay => "delivery_under_way",
            Self::NoVault => "no_vault",
        }
    }
}

/// Why a webhook was not shown or changed.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The caller's doing.
    #[error(transparent)]
    Refused(#[from] WebhookRefused),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error("a webhook's secret cannot be read or written: {0}")]
    Vault(#[from] VaultError),
}

impl From<tokio_postgres::Error> for WebhookError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}
