//! *Sweep*: finds open events whose time and grace have passed, so that they can be published once more.
//!
//! This makes every loss in the queue a delay. A backlog is no loss: an event that was confirmed is taken only once its
//! shard's queue has drained past it. Never decides an event's fate, and never publishes itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Store, StoreError,
    claim::{MESSAGE_COLUMNS, message},
};
use crate::{
    event::{Attempt, EventId},
    message::Message,
    queue::Shard,
};

/// Open events, and how long the oldest has waited.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Backlog {
    /// Open events that are due.
    pub due: i64,
    /// When the oldest open event was received.
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// Marks attempts whose publish was not confirmed: the sweeper takes them whatever the queue holds. One that has
    /// been made meanwhile (its message had come through) is left alone: what follows it has a time of its own.
    pub async fn mark_unpublished(&self, attempts: &[(EventId, Attempt)]) -> Result<(), StoreError> {
        if attempts.is_empty() {
            return Ok(());
        }
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) =
            attempts.iter().map(|(id, attempt)| (id.uuid(), attempt.number())).unzip();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mark_unpublished */
                update event_state s set due_at = '-infinity'
                from unnest($1::uuid[], $2::int[]) as v (id, attempt)
                where s.id = v.id and s.attempt = v.attempt and s.finished_at is null",
            )
            .await?;
        client.execute(&statement, &[&ids, &attempts]).await?;
        Ok(())
    }

    /// Takes up to `limit` events that nobody has published, and gives the queue `grace` from now to deliver them.
    pub async fn sweep_unpublished(&self, limit: i64, grace: Duration) -> Result<Vec<Message>, StoreError> {
        self.sweep(limit, grace, "due_at = '-infinity' and ($3::smallint is null) and ($4::timestamptz is null)", None)
            .await
    }

    /// Takes up to `limit` overdue events of a shard that entered its queue before `drained`.
    pub async fn sweep_overdue(
        &self,
        limit: i64,
        grace: Duration,
        shard: Shard,
        drained: Timestamp,
    ) -> Result<Vec<Message>, StoreError> {
        let entered = drained + SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        let due = self.clock.now().min(entered);
        self.sweep(limit, grace, "shard = $3 and due_at <= $4", Some((shard, due))).await
    }

    async fn sweep(
        &self,
        limit: i64,
        grace: Duration,
        which: &str,
        shard: Option<(Shard, Timestamp)>,
    ) -> Result<Vec<Message>, StoreError> {
        let until = self.clock.now() + SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "/* sweep */
                with due as materialized (
                    select id from event_state where finished_at is null and {which}
                    order by due_at limit $1 for update skip locked
                ), s as (
                    update event_state s set due_at = $2 from due where s.id = due.id
                    returning s.id, s.attempt, s.climbed, s.shard
                )
                select {MESSAGE_COLUMNS} from s join event e on e.id = s.id order by e.id"
            ))
            .await?;
        let rows = client
            .query(&statement, &[&limit, &until, &shard.map(|(shard, _)| shard.number()), &shard.map(|(_, due)| due)])
            .await?;
        rows.iter().map(message).collect()
    }

    /// The shards that have overdue events.
    pub async fn overdue_shards(&self) -> Result<Vec<Shard>, StoreError> {
        let now = self.clock.now();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* overdue_shards */
                select distinct shard from (select shard from event_state
                    where finished_at is null and due_at > '-infinity' and due_at <= $1
                    order by due_at limit 2000) as oldest",
            )
            .await?;
        let rows = client.query(&statement, &[&now]).await?;
        Ok(rows.iter().filter_map(|row| Shard::new(row.get(0))).collect())
    }

    /// What is open and due, for health and metrics. Counts at most 100,000: past that the number says "too many".
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* backlog */
                select (select count(*) from (select 1 from event_state where finished_at is null limit 100000) as open),
                    (select e.received_at from event e
                        where e.id = (select id from event_state where finished_at is null order by due_at limit 1))",
            )
            .await?;
        let row = client.query_one(&statement, &[]).await?;
        Ok(Backlog { due: row.get(0), oldest: row.get(1) })
    }

    /// Notes how far this process has consumed each shard.
    pub async fn note_progress(&self, progress: &[(Shard, Timestamp)]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* note_progress */
                insert into shard_progress (shard, through, seen_at)
                select p.shard, p.through, $3 from unnest($1::smallint[], $2::timestamptz[]) as p (shard, through)
                on conflict (shard) do update set through = greatest(shard_progress.through, excluded.through),
                    seen_at = excluded.seen_at",
            )
            .await?;
        let shards: Vec<i16> = progress.iter().map(|(shard, _)| shard.number()).collect();
        let through: Vec<Timestamp> = progress.iter().map(|(_, through)| *through).collect();
        client.execute(&statement, &[&shards, &through, &self.clock.now()]).await?;
        Ok(())
    }

    /// How far a shard has been consumed, by all workers.
    pub async fn progress(&self, shard: Shard) -> Result<Option<Timestamp>, StoreError> {
        let client = self.client().await?;
        let statement =
            client.prepare_cached("/* progress */ select through from shard_progress where shard = $1").await?;
        Ok(client.query_opt(&statement, &[&shard.number()]).await?.map(|row| row.get(0)))
    }
}
