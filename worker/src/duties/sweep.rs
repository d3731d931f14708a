//! The sweeper: whatever the broker lost, stranded or never got is published once more.
//!
//! Several workers may sweep at once; rows that one of them holds are skipped by the others. A backlog is no loss: only
//! what the drained queue should have delivered is taken.

use std::sync::Arc;

use lychgate_common::{
    message::Message,
    queue::{Published, Queue, Route, Shard},
    store::StoreError,
};

use crate::house::House;

/// One turn: first what nobody has published, then what is overdue.
pub(crate) async fn sweep(house: Arc<House>) {
    if !house.queue.state().is_up() {
        return;
    }
    if let Err(error) = turn(&house).await {
        tracing::warn!(%error, "the sweeper could not finish its turn");
    }
}

async fn turn(house: &House) -> Result<(), StoreError> {
    let limit = i64::from(house.settings.sweep.batch);
    let grace = house.settings.sweep.grace;
    loop {
        let unpublished = house.store.sweep_unpublished(limit, grace).await?;
        let more = unpublished.len() == usize::from(house.settings.sweep.batch);
        if !publish(house, unpublished).await? || !more {
            break;
        }
    }
    for shard in house.store.overdue_shards().await? {
        overdue(house, shard, limit).await?;
    }
    Ok(())
}

async fn overdue(house: &House, shard: Shard, limit: i64) -> Result<(), StoreError> {
    let Queue::Broker(broker) = &house.queue else { return Ok(()) };
    if let Some(through) = house.store.progress(shard).await? {
        broker.learn_progress(shard, through);
    }
    let Some(drained) = broker.drained_until(shard, house.clock.now()).await else { return Ok(()) };
    loop {
        let overdue = house.store.sweep_overdue(limit, house.settings.sweep.grace, shard, drained).await?;
        let more = overdue.len() == usize::from(house.settings.sweep.batch);
        if !publish(house, overdue).await? || !more {
            return Ok(());
        }
    }
}

/// Publishes a batch and marks what was not confirmed; says whether all of it was.
async fn publish(house: &House, batch: Vec<Message>) -> Result<bool, StoreError> {
    if batch.is_empty() {
        return Ok(true);
    }
    let ids: Vec<_> = batch.iter().map(|message| (message.id(), message.attempt)).collect();
    tracing::info!(events = ids.len(), "swept: published again");
    let verdicts =
        house.queue.publish(batch.into_iter().map(|message| (message.slimmed(), Route::Main)).collect()).await;
    verdicts.iter().for_each(|verdict| house.metrics.swept(*verdict));
    let unpublished = Published::unconfirmed(&ids, &verdicts);
    house.store.mark_unpublished(&unpublished).await?;
    Ok(unpublished.is_empty())
}
