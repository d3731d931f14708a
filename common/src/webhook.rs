//! Webhooks of our own (document D): who is told of which events, how a delivery is written, signed and paced.
//!
//! What is stored is in [`crate::store`]; the gateway's management interface and the command line both manage through
//! [`Desk`], and the worker delivers. Nothing here calls an endpoint.

mod delivery;
mod desk;
mod draft;
mod envelope;
mod js_form;
mod pace;
mod refused;
mod signing;

use jiff::Timestamp;
use serde::Serialize;

pub use self::{
    delivery::{DELIVERY_PRESET, Delivery},
    desk::{Created, Desk, Rotated, Sent},
    draft::{Change, Draft, Policy, Slip, event_name, limit},
    envelope::{envelope, sample},
    pace::{Limits, Pace, Taken},
    refused::{WebhookError, WebhookRefused},
    signing::{Signing, generate_secret, platform_signature},
};

/// The source under which deliveries stand in the ledger. No source of the settings may have this name.
pub const SOURCE: &str = "webhooks";

/// The `subject` of a delivery that was asked for as a test: it is made although the webhook is paused.
pub const TEST: &str = "test";

/// A webhook as it is shown. Its secret never is, after its creation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Webhook {
    /// `webhook_` and 32 hex digits.
    pub id: String,
    /// Where its events go.
    pub url: String,
    /// Which: names, `user.*`, `*`.
    pub events: Vec<String>,
    /// Of which sources; `None`: of every one.
    pub sources: Option<Vec<String>>,
    /// Its owner's words.
    pub description: Option<String>,
    /// Whether it is told of events.
    pub active: bool,
    /// How it is.
    pub status: Health,
    /// Since when nothing has arrived, while nothing does.
    pub failing_since: Option<Timestamp>,
    /// When we gave it up.
    pub disabled_at: Option<Timestamp>,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the last rotation signs too.
    pub previous_secret_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner, or we, last changed it.
    pub updated_at: Timestamp,
}

/// How a webhook is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Told of events, and the last one arrived.
    Active,
    /// Told of events, and none has arrived lately.
    Failing,
    /// Not told of events, by its owner's wish.
    Paused,
    /// Given up by us: it said that it is gone, or nothing arrived for days.
    Disabled,
}

impl Health {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Failing, Self::Paused, Self::Disabled];

    /// The name in the interface and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// What these columns of its row say.
    pub(crate) fn of(active: bool, failing: bool, disabled: bool) -> Self {
        match (active, failing, disabled) {
            (_, _, true) => Self::Disabled,
            (false, _, false) => Self::Paused,
            (true, true, false) => Self::Failing,
            (true, false, false) => Self::Active,
        }
    }
}
