//! A worker's life: duties and consuming, until it is told to stop and has drained.

use std::sync::Arc;

use lychgate_common::stop::Stop;

use crate::{consume::consume, duties, house::House};

/// Runs until stopped. Returns once everything under way is settled, or the deadline has passed. `false` where nobody had
/// asked: the queue has ended by itself, and a worker that only looks alive is worse than one that is started again.
pub async fn run(house: Arc<House>, stop: Stop) -> bool {
    let mut duties = duties::start(&house, &stop);
    consume(Arc::clone(&house), stop.clone()).await;
    let asked = stop.is_stopping();
    stop.ask();
    tokio::select! {
        () = async { while duties.join_next().await.is_some() {} } => {}
        () = stop.now() => duties.abort_all(),
    }
    tokio::select! {
        () = duties::tell::rest(&house) => {}
        () = stop.now() => {}
    }
    if let Err(error) = house.store.leave(&house.name).await {
        tracing::warn!(%error, "the heartbeat could not be taken back; this worker is missed for a while");
    }
    asked
}
