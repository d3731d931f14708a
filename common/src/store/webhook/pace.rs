//! Taking a turn at an endpoint: one worker at a time looks at what it was sent lately, and counts itself.

use jiff::{SignedDuration, Timestamp};

use crate::{
    store::{Store, StoreError},
    webhook::{Limits, Pace, Taken},
};

impl Store {
    /// Counts one delivery, or says when to come back. A webhook that was deleted meanwhile has no limit.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_turn(&self, webhook: &str, limits: Limits) -> Result<Taken, StoreError> {
        Ok(self.pace(webhook, |pace, now| pace.take(limits, now)).await?.unwrap_or(Taken::Now))
    }

    /// When one is to come back that could not be sent for another reason, in at least `pause`.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait_turn(
        &self,
        webhook: &str,
        limits: Limits,
        pause: SignedDuration,
    ) -> Result<Timestamp, StoreError> {
        let place = self.pace(webhook, |pace, now| pace.wait(limits, now + pause)).await?;
        Ok(place.unwrap_or_else(|| self.clock().now() + pause))
    }

    /// Shows a webhook's pace, under its lock, and writes what has become of it; `None` where there is no webhook.
    async fn pace<T: Send>(
        &self,
        webhook: &str,
        step: impl FnOnce(&mut Pace, Timestamp) -> T + Send,
    ) -> Result<Option<T>, StoreError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let statement = tx
            .prepare_cached(
                "/* webhook_pace */ select second, sent, deferred_to from webhook_pace where webhook_id = $1 for update",
            )
            .await?;
        let Some(row) = tx.query_opt(&statement, &[&webhook]).await? else { return Ok(None) };
        let mut pace = Pace { second: row.get(0), sent: row.get(1), deferred_to: row.get(2) };
        // The time is asked for under the lock, so that whoever waited for it does not count in the past.
        let stepped = step(&mut pace, self.clock().now());
        let statement = tx
            .prepare_cached(
                "/* webhook_pace_count */ update webhook_pace set second = $2, sent = $3, deferred_to = $4
                 where webhook_id = $1",
            )
            .await?;
        tx.execute(&statement, &[&webhook, &pace.second, &pace.sent, &pace.deferred_to]).await?;
        tx.commit().await?;
        Ok(Some(stepped))
    }
}
