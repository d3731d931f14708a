//! Orders that were paid when no supplier was free: given to one as soon as one is.
//!
//! The choice and the note of it are the store's; the order's customer was told at its confirmation.

use std::{sync::Arc, time::Duration};

use crate::house::House;

/// An operator who has just imported suppliers looks for what became of it; the look itself costs an empty index.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// One turn.
pub(crate) async fn assign(house: Arc<House>) {
    match house.store.assign_suppliers().await {
        Ok(assigned) if assigned.is_empty() => {}
        Ok(assigned) => tracing::info!(orders = assigned.len(), "orders that waited were given to suppliers"),
        Err(error) => tracing::warn!(%error, "orders that wait for a supplier could not be given to one"),
    }
}
