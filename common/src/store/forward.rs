//! What forwarding an event needs to know of it beyond its normal form, and where it has arrived already.
//!
//! Only reads. Arrivals are changes like any handler's, written by the applier.

use super::{Store, StoreError};
use crate::event::EventId;

/// What the ledger says about an event that is to be forwarded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forwarding {
    /// The body's type, as sent.
    pub content_type: Option<String>,
    /// W3C `traceparent` of the request that brought the event.
    pub traceparent: Option<String>,
    /// Destinations where it has arrived, by their labels.
    pub delivered: Vec<String>,
}

impl Store {
    /// Looks an event up for forwarding; `None` where there is none.
    pub async fn forwarding(&self, id: EventId) -> Result<Option<Forwarding>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* forwarding */
                select e.content_type, e.traceparent,
                    array(select d.destination from forward_delivery d where d.event_id = e.id)
                from event e where e.id = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&id.uuid()]).await?;
        Ok(row.map(|row| Forwarding { content_type: row.get(0), traceparent: row.get(1), delivered: row.get(2) }))
    }
}
