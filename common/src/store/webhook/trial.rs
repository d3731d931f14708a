//! A delivery that somebody asked for, to try an endpoint: recorded as every other, and audited.

use serde_json::json;

use super::super::audit::audit;
use crate::store::{NewEvent, Store, StoreError, emit};

impl Store {
    /// Records it.
    ///
    /// # Errors
    /// The store's.
    pub async fn add_trial(&self, delivery: &NewEvent, actor: &str) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        emit::write(&tx, std::slice::from_ref(delivery)).await?;
        let detail = json!({ "delivery": delivery.event.id, "event": *delivery.event.kind });
        audit(&tx, delivery.event.received_at, actor, "webhook.test", &delivery.event.tenant, detail).await?;
        Ok(tx.commit().await?)
    }
}
