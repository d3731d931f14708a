//! Upkeep of the store: partitions made ahead, what is past its time dropped.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use lychgate_common::store::{DAYS_AHEAD, Deed, EventFilter, Page, Retention, StoreError};

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
    discard_forgotten(house).await?;
    let retention = &house.settings.retention;
    let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    let keep = Retention {
        events: signed(retention.events),
        deliveries: signed(retention.deliveries),
        keys: signed(retention.keys),
    };
    let dropped = house.store.drop_partitions(keep).await?;
    if !dropped.is_empty() {
        tracing::info!(partitions = ?dropped, "retention dropped what is past its time");
    }
    let now = house.clock.now();
    let _mails = house.store.forget_mails(now - keep.events).await?;
    let _answers = house.store.forget_answers(now - keep.keys).await?;
    let _security = house.store.forget_security_events(now - keep.deliveries).await?;
    Ok(())
}

/// Dead letters that nobody has dealt with in all the time that `retention.dead` gives are discarded, in writing, so
/// that their days can be dropped.
async fn discard_forgotten(house: &House) -> Result<(), StoreError> {
    let dead = SignedDuration::try_from(house.settings.retention.dead).unwrap_or(SignedDuration::MAX);
    let filter = EventFilter { until: Some(house.clock.now() - dead), ..EventFilter::default() };
    let deed = Deed { actor: "retention".to_owned(), reason: "nobody dealt with it in time".to_owned() };
    loop {
        let ids = house.store.dead_letter_ids(&filter, Page::default()).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let discarded = house.store.discard(&ids, &deed).await?;
        tracing::warn!(events = discarded.len(), "dead letters past `retention.dead` were discarded");
        if discarded.is_empty() {
            return Ok(());
        }
    }
}
