//! *Claim*: who may run an event now.
//!
//! Where the store is the queue, a claim takes what is due and leases it. With RabbitMQ nothing is written on the
//! ordinary way; only a message that comes a second time is checked here, and counted before it runs, so that one
//! which kills its worker is found out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::{
    event::{Attempt, Event, EventId},
    message::Message,
    queue::Shard,
};

/// The columns from which a [`Message`] is read, in the order that [`message`] expects.
pub(super) const MESSAGE_COLUMNS: &str = "e.id, e.source, e.preset, e.tenant, e.kind, e.subject, e.occurred_at,
    e.received_at, e.body, e.traceparent, s.attempt, s.climbed, s.shard";

/// What a claim on a redelivered message came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Run it: it is still open at this attempt.
    Run,
    /// Settled meanwhile, or another attempt is on its way: drop the copy.
    Stale,
    /// It was started too often and never came back: it may be killing its workers.
    Poison,
}

impl Store {
    /// Takes up to `limit` due events and leases them until `lease` from now, leaving out sources that have their share
    /// already. The flag says that a lease ran out on it before: its worker may have died.
    pub async fn claim_due(
        &self,
        limit: i64,
        lease: Duration,
        saturated: &[String],
    ) -> Result<Vec<(Message, bool)>, StoreError> {
        let now = self.clock.now();
        let until = now + SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "/* claim_due */
                with due as materialized (
                    select id, leased from event_state
                    where finished_at is null and due_at <= $2 and source <> all($4)
                    order by due_at limit $1 for update skip locked
                ), s as (
                    update event_state s set leased = true, due_at = $3 from due where s.id = due.id
                    returning s.id, s.attempt, s.climbed, s.shard, due.leased
                )
                select {MESSAGE_COLUMNS}, s.leased from s join event e on e.id = s.id order by e.id"
            ))
            .await?;
        let rows = client.query(&statement, &[&limit, &now, &until, &saturated]).await?;
        rows.iter().map(|row| Ok((message(row)?, row.get(13)))).collect()
    }

    /// Gives claimed events back, to be taken again at `due`; costs no attempt.
    pub async fn release(&self, ids: &[EventId], due: Timestamp) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* release */
                update event_state set leased = false, due_at = $2 where id = any($1) and finished_at is null",
            )
            .await?;
        client.execute(&statement, &[&ids, &due]).await?;
        Ok(())
    }

    /// How often an attempt has been started after a redelivery; `None` where it is not open any more.
    pub async fn starts(&self, id: EventId, attempt: Attempt) -> Result<Option<i16>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* starts */ select starts from event_state where id = $1 and attempt = $2 and finished_at is null",
            )
            .await?;
        let row = client.query_opt(&statement, &[&id.uuid(), &attempt.number()]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Checks a redelivered message against its row and counts the start, before the handler runs. Past `most` starts
    /// it is poison.
    pub async fn claim_again(&self, id: EventId, attempt: Attempt, most: u8) -> Result<Claim, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* claim_again */
                update event_state set starts = starts + 1
                where id = $1 and attempt = $2 and finished_at is null
                returning starts",
            )
            .await?;
        let row = client.query_opt(&statement, &[&id.uuid(), &attempt.number()]).await?;
        Ok(match row.map(|row| row.get::<_, i16>(0)) {
            None => Claim::Stale,
            Some(starts) if starts > i16::from(most) => Claim::Poison,
            Some(_) => Claim::Run,
        })
    }

    /// The body of an event whose message did not carry it; `None` where retention was faster.
    pub async fn body(&self, id: EventId) -> Result<Option<Bytes>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached("/* body */ select body from event where id = $1").await?;
        let row = client.query_opt(&statement, &[&id.uuid()]).await?;
        Ok(row.map(|row| Bytes::from(row.get::<_, Vec<u8>>(0))))
    }
}

/// Reads [`MESSAGE_COLUMNS`].
pub(super) fn message(row: &Row) -> Result<Message, StoreError> {
    let text = |index: usize| -> Arc<str> { Arc::from(row.get::<_, &str>(index)) };
    let optional = |index: usize| row.get::<_, Option<&str>>(index).map(Arc::from);
    let event = Event {
        id: EventId::from_uuid(row.get(0)),
        source: text(1),
        preset: text(2),
        tenant: text(3),
        kind: text(4),
        subject: optional(5),
        occurred_at: row.get(6),
        received_at: row.get(7),
        body: Bytes::copy_from_slice(row.get(8)),
    };
    let attempt = Attempt::new(row.get(10)).ok_or_else(|| StoreError::Row("attempt under 1".to_owned()))?;
    let shard = Shard::new(row.get(12)).ok_or_else(|| StoreError::Row("negative shard".to_owned()))?;
    Ok(Message {
        event,
        body_in_store: false,
        attempt,
        climbed: u8::try_from(row.get::<_, i16>(11)).unwrap_or(0),
        shard,
        traceparent: optional(9),
        reply_to: None,
        unrecorded: None,
    })
}
