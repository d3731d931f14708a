//! Upkeep of the store: partitions made ahead, what is past its time dropped.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use lychgate_common::store::{DAYS_AHEAD, Retention, StoreError};

use crate::house::House;

/// Partitions are made days ahead, so an hour is soon enough.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);

/// One turn.
pub(crate) async fn upkeep(house: Arc<House>) {
    if let Err(error) = turn(&house).await {
        tracing::warn!(%error, "the store's upkeep could not finish its turn");
    }
}

async fn turn(house: &House) -> Result<(), StoreError> {
    house.store.make_partitions(DAYS_AHEAD).await?;
    let retention = &house.settings.retention;
    let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    let keep = Retention { events: signed(retention.events), keys: signed(retention.keys) };
    let dropped = house.store.drop_partitions(keep).await?;
    if !dropped.is_empty() {
        tracing::info!(partitions = ?dropped, "retention dropped what is past its time");
    }
    let now = house.clock.now();
    let _answers = house.store.forget_answers(now - keep.keys).await?;
    let _security = house.store.forget_security_events(now - signed(retention.deliveries)).await?;
    Ok(())
}
