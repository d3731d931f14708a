//! *Claim*: may this attempt run?
//!
//! On the ordinary way nothing is asked: the fence in *settle* drops what has been done already. A message that comes a
//! second time may have killed its worker: its start is counted in the store before it runs, and from the second such
//! start on it runs alone, so that its neighbours are not blamed.

use lychgate_common::{
    message::Message,
    queue::Receipt,
    store::{Claim, StoreError},
};
use tokio::sync::SemaphorePermit;

use crate::{
    attempt::{decode::Decoded, settle},
    house::House,
};

/// An attempt that may run.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    pub(crate) message: Message,
    pub(crate) receipt: Receipt,
    /// It has been started too often already: do not run it, bury it.
    pub(crate) poison: bool,
    /// Held while a suspect runs.
    _alone: Option<SemaphorePermit<'a>>,
}

/// Lets the attempt run, or drops the copy.
pub(crate) async fn claim(house: &House, decoded: Decoded) -> Option<Claimed<'_>> {
    let Decoded { message, redelivered, receipt } = decoded;
    if !redelivered {
        return Some(Claimed { message, receipt, poison: false, _alone: None });
    }
    match again(house, &message).await {
        Ok((Claim::Run, alone)) => Some(Claimed { message, receipt, poison: false, _alone: alone }),
        Ok((Claim::Poison, alone)) => Some(Claimed { message, receipt, poison: true, _alone: alone }),
        Ok((Claim::Stale, _)) => {
            house.metrics.stale();
            receipt.done();
            None
        }
        Err(error) => {
            settle::release(house, message, receipt, &error.to_string()).await;
            None
        }
    }
}

async fn again<'a>(house: &'a House, message: &Message) -> Result<(Claim, Option<SemaphorePermit<'a>>), StoreError> {
    let Some(starts) = house.store.starts(message.id(), message.attempt).await? else {
        return Ok((Claim::Stale, None));
    };
    let alone = if starts >= 1 { house.suspects.acquire().await.ok() } else { None };
    let claim = house.store.claim_again(message.id(), message.attempt, house.settings.worker.starts).await?;
    Ok((claim, alone))
}
