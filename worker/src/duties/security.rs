//! Watches for refusals that look like an attack: raises an alert when too many came lately.
//!
//! The metric says so for as long as it holds; the log says it once when it begins, and once when it is over. Every worker
//! watches the same store, so it does not matter which of them is scraped. Nothing is blocked here: the gateway's limits do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use lychgate_common::store::SecurityCount;

use crate::house::House;

/// Often enough for a scrape every 15 s.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// Whether the alert was raised at the last look.
#[derive(Debug, Default)]
pub(crate) struct Alert(AtomicBool);

/// One look.
pub(crate) async fn watch(house: Arc<House>, alert: Arc<Alert>) {
    let settings = &house.settings.security;
    let window = SignedDuration::try_from(settings.window).unwrap_or(SignedDuration::MAX);
    let counts = match house.store.security_counts(house.clock.now() - window).await {
        Ok(counts) => counts,
        Err(error) => {
            tracing::warn!(%error, "security events could not be counted");
            return;
        }
    };
    let count: i64 = counts.iter().map(|one| one.count).sum();
    let raised = count >= i64::from(settings.threshold);
    house.metrics.security(count, raised);
    let before = alert.0.swap(raised, Ordering::Relaxed);
    if raised && !before {
        let window = settings.window;
        tracing::warn!(count, ?window, most = %most(&counts), "refusals that look like an attack: look at the security events");
    } else if before && !raised {
        tracing::info!(count, "no longer more refusals than usual that look like an attack");
    }
}

/// What there was most of, for the log's one line.
fn most(counts: &[SecurityCount]) -> String {
    let first = counts.first();
    first.map(|one| format!("{} {} from {} addresses", one.source, one.reason, one.addresses)).unwrap_or_default()
}
