//! A delivery is made once more, whatever became of it: the same row, the same id, its attempts counted on.

use uuid::Uuid;

use crate::{
    event::EventId,
    message::Message,
    store::{
        Store, StoreError,
        claim::{MESSAGE_COLUMNS, message},
    },
};

/// What became of the wish.
#[derive(Clone, Debug)]
pub enum Resent {
    /// It is open again: its message, to be published.
    Now(Box<Message>),
    /// It is open still.
    UnderWay,
    /// There is none.
    Unknown,
}

impl Store {
    /// Opens a finished delivery again, and audits it. `due_at` is when the sweeper, or a claim, may take it: late
    /// enough for whoever publishes it.
    ///
    /// # Errors
    /// The store's.
    pub async fn resend(
        &self,
        webhook: &str,
        id: EventId,
        actor: &str,
        due_at: Option<jiff::Timestamp>,
    ) -> Result<Resent, StoreError> {
        let now = self.clock().now();
        let client = self.client().await?;
        let sql = format!(
            "/* webhook_resend */
            with picked as materialized (
                select s.id from event_state s join webhook_delivery d on d.event_id = s.id
                where s.id = $1 and d.event_id = $1 and d.webhook_id = $2 and s.finished_at is not null for update of s
            ), s as (
                update event_state s set status = 'retrying', attempt = s.attempt + 1, climbed = 0, starts = 0,
                    leased = false, due_at = coalesce($3, '-infinity'::timestamptz), finished_at = null
                from picked where s.id = picked.id
                returning s.id, s.attempt, s.climbed, s.shard
            ), d as (
                delete from dead_letter using s where event_id = s.id
            ), a as (
                insert into audit (id, at, actor, action, subject, detail)
                select $4, $5, $6, 'webhook.resend', $2, jsonb_build_object('delivery', s.id, 'attempt', s.attempt) from s
            )
            select {MESSAGE_COLUMNS} from s join event e on e.id = s.id"
        );
        let audit: Uuid = EventId::new(now).uuid();
        let opened = client.query_opt(&sql, &[&id.uuid(), &webhook, &due_at, &audit, &now, &actor]).await?;
        if let Some(row) = opened {
            return Ok(Resent::Now(Box::new(message(&row)?)));
        }
        let known = "/* webhook_resend_known */ select from webhook_delivery where webhook_id = $1 and event_id = $2";
        Ok(match client.query_opt(known, &[&webhook, &id.uuid()]).await? {
            Some(_) => Resent::UnderWay,
            None => Resent::Unknown,
        })
    }
}
