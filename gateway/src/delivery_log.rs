//! Remembers every delivery that made no event, and how often each secret was used, beside the sender's path.
//!
//! A log that is full or cannot be written is counted and costs no answer. Never sees a secret or a signature.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use lychgate_common::store::{DeliveryLogger, Group, GroupLimits, LoggedDelivery, SecretUse, Store};

use crate::metrics::Metrics;

/// Entries that may wait. One writer is enough, and it may fall behind: 8 MB.
const WAITING: usize = 2000;
/// Secrets whose use is remembered between two notes, at most.
const SECRETS: usize = 10_000;

/// Source, tenant and label of a secret.
type SecretName = (String, String, String);

/// The log's door.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryLog {
    group: Group<LoggedDelivery, ()>,
    uses: Arc<Mutex<HashMap<SecretName, (Timestamp, i64)>>>,
    store: Store,
    metrics: Metrics,
}

impl DeliveryLog {
    pub(crate) fn start(store: Store, metrics: Metrics, patience: Duration) -> Self {
        let limits = GroupLimits { writers: 1, items: 200, bytes: 4 << 20, waiting: WAITING, patience };
        let group = Group::start(limits, DeliveryLogger::new(store.clone()));
        Self { group, uses: Arc::default(), store, metrics }
    }

    /// Writes an entry some time soon.
    pub(crate) fn write(&self, entry: LoggedDelivery) {
        let (group, metrics) = (self.group.clone(), self.metrics.clone());
        tokio::spawn(async move {
            if group.submit(entry).await.is_err() {
                metrics.log_lost();
            }
        });
    }

    /// A secret has verified a request.
    pub(crate) fn used(&self, source: &str, tenant: &str, label: &str, at: Timestamp) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (source.to_owned(), tenant.to_owned(), label.to_owned());
        if uses.len() >= SECRETS && !uses.contains_key(&name) {
            return;
        }
        let (last, count) = uses.entry(name).or_insert((at, 0));
        *last = (*last).max(at);
        *count += 1;
    }

    /// Writes down the uses since the last time.
    pub(crate) async fn note_uses(&self) {
        let uses = std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return;
        }
        let uses: Vec<SecretUse> = uses
            .into_iter()
            .map(|((source, tenant, label), (at, uses))| SecretUse { source, tenant, label, at, uses })
            .collect();
        if let Err(error) = self.store.note_secret_uses(&uses).await {
            tracing::warn!(%error, "the use of secrets could not be noted");
            self.metrics.log_lost();
        }
    }
}
