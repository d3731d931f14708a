//! Webhooks of our own as they are stored: managed, found for a delivery, paced, noted as failing.
//!
//! Each sealed secret is bound to its row by the name that [`secret_row`] gives it. What becomes of deliveries is the
//! ledger's.

mod deliveries;
mod endpoint;
mod manage;
mod pace;
mod resend;
mod secrets;
mod trial;

use tokio_postgres::Row;
use uuid::Uuid;

pub use self::{
    deliveries::{DeliveryAttempt, DeliveryLine},
    endpoint::Endpoint,
    resend::Resent,
};
use crate::webhook::{Health, Webhook};

/// The columns that [`webhook_of`] reads; `$1` is the time.
macro_rules! webhook_columns {
    ($now:literal) => {
        concat!(
            "w.id, w.url, w.events, w.sources, w.description, w.active, w.failing_since, w.disabled_at, \
             w.disabled_reason, w.created_at, w.updated_at, \
             (select max(s.expires_at) from webhook_secret s where s.webhook_id = w.id and s.expires_at > ",
            $now,
            ")"
        )
    };
}
use webhook_columns;

fn webhook_of(row: &Row) -> Webhook {
    let (active, failing_since, disabled_at) = (row.get(5), row.get::<_, Option<_>>(6), row.get::<_, Option<_>>(7));
    Webhook {
        id: row.get(0),
        url: row.get(1),
        events: row.get(2),
        sources: row.get(3),
        description: row.get(4),
        active,
        status: Health::of(active, failing_since.is_some(), disabled_at.is_some()),
        failing_since,
        disabled_at,
        disabled_reason: row.get(8),
        created_at: row.get(9),
        updated_at: row.get(10),
        previous_secret_until: row.get(11),
    }
}

fn secret_row(webhook: &str, secret: Uuid) -> String {
    format!("webhook_secret/{webhook}/{secret}")
}
