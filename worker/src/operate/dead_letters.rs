//! Planning what is to be done with dead letters, and discarding them. [`super::replay`] replays them.
//!
//! Listing and showing need no verb of their own: [`Store::dead_letters`], [`Store::dead_letter_groups`] and
//! [`Store::dead_letter`] are it.

use lychgate_common::store::{DeadLetterGroup, Deed, EventFilter, Page, Store, StoreError};
use serde::Serialize;

/// Events that one discarding statement takes.
const BATCH: u32 = 500;

/// What a deed on everything that matches would touch.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Plan {
    /// How many dead letters.
    pub total: i64,
    /// Of what: by cause, the most frequent first, at most 1,000 causes.
    pub groups: Vec<DeadLetterGroup>,
}

/// Why a deed was not begun, or not finished.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// Discarding is for good; the next one on call wants to know why.
    #[error("discarding needs a reason: say why with --reason")]
    NoReason,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many dead letters match, and of what kind.
pub async fn plan(store: &Store, filter: &EventFilter) -> Result<Plan, StoreError> {
    Ok(Plan { total: store.dead_letter_count(filter).await?, groups: store.dead_letter_groups(filter).await? })
}

/// Gives up everything that matches and was received by now, and says how many that were.
///
/// # Errors
/// [`OperateError::NoReason`] without a reason; the store's trouble, after which those already discarded stay so.
pub async fn discard(store: &Store, filter: &EventFilter, deed: &Deed) -> Result<u64, OperateError> {
    if deed.reason.trim().is_empty() {
        return Err(OperateError::NoReason);
    }
    let filter = filter.clone().received_by(store.clock().now());
    let mut discarded = 0;
    let mut page = Page { limit: BATCH, after: None };
    loop {
        let ids = store.dead_letter_ids(&filter, page).await?;
        let Some(last) = ids.last() else { return Ok(discarded) };
        page.after = Some(*last);
        discarded += u64::try_from(store.discard(&ids, deed).await?.len()).unwrap_or(0);
    }
}
