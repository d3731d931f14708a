//! Answers that depended on the outcome, kept for the sender's repetitions; and the outcome itself, for who waits.

use jiff::Timestamp;

use super::{Store, StoreError};
use crate::{
    event::EventId,
    outcome::{Outcome, OutcomeError},
    status::Status,
};

/// An answer as it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Store {
    /// Keeps the first answer given for an event, and returns the one that is kept.
    pub async fn keep_answer(&self, id: EventId, answer: &KeptAnswer) -> Result<KeptAnswer, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* keep_answer */
                with new as (
                    insert into event_answer (event_id, status, body, answered_at) values ($1, $2, $3, $4)
                    on conflict (event_id) do nothing returning status, body
                )
                select status, body from new union all select status, body from event_answer where event_id = $1
                limit 1",
            )
            .await?;
        let status = i16::try_from(answer.status).unwrap_or(0);
        let row = client.query_opt(&statement, &[&id.uuid(), &status, &answer.body, &self.clock.now()]).await?;
        // No row: another gateway's answer was committed after this statement's snapshot; it is there now.
        match row {
            Some(row) => Ok(KeptAnswer { status: row.get::<_, i16>(0).unsigned_abs(), body: row.get(1) }),
            None => Ok(self.kept_answer(id).await?.unwrap_or_else(|| answer.clone())),
        }
    }

    /// The answer that was given for an event.
    pub async fn kept_answer(&self, id: EventId) -> Result<Option<KeptAnswer>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("/* kept_answer */ select status, body from event_answer where event_id = $1")
            .await?;
        let row = client.query_opt(&statement, &[&id.uuid()]).await?;
        Ok(row.map(|row| KeptAnswer { status: row.get::<_, i16>(0).unsigned_abs(), body: row.get(1) }))
    }

    /// Forgets answers given before `before`.
    pub async fn forget_answers(&self, before: Timestamp) -> Result<u64, StoreError> {
        let client = self.client().await?;
        Ok(client.execute("/* forget_answers */ delete from event_answer where answered_at < $1", &[&before]).await?)
    }

    /// The outcome of an event's last attempt; `None` while it has had none.
    pub async fn outcome(&self, id: EventId) -> Result<Option<Outcome>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* outcome */
                select s.status, a.reply, a.class, a.error->>'message' from event_state s
                join lateral (select * from attempt a where a.event_id = s.id order by a.attempt desc limit 1) a on true
                where s.id = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&id.uuid()]).await?;
        Ok(row.map(|row| {
            let class: Option<String> = row.get(2);
            Outcome {
                status: row.get::<_, Status>(0),
                reply: row.get(1),
                error: class
                    .map(|class| OutcomeError { class, message: row.get::<_, Option<String>>(3).unwrap_or_default() }),
            }
        }))
    }
}
