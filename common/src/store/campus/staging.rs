//! One step of a reconciliation run, each a short transaction: a page is staged, a batch is applied, and the run's
//! place is moved in the same commit, so that an interruption repeats at most the step it fell into.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    run::{Run, RunCounts, RunPhase},
    runs::until,
};
use crate::{
    change::Change,
    store::{Store, StoreError, apply},
};

/// A member as the core system told of it during a run.
#[derive(Clone, PartialEq, Debug)]
pub struct StagedMember {
    /// The core system's id.
    pub member_id: String,
    /// What it says.
    pub data: Value,
    /// Whether it counts the member as one.
    pub active: bool,
    /// As of when.
    pub fetched_at: Timestamp,
}

/// Where a run goes next, and what the step did.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The phase from now on.
    pub phase: RunPhase,
    /// The member that was done last; empty at the beginning of a phase.
    pub cursor: String,
    /// What this step did.
    pub counts: RunCounts,
}

impl Store {
    /// Stages a page, of which `malformed` members were kept out, and moves the run to the next one. Says how many of
    /// its members were new, or `None` where another worker has taken the run.
    ///
    /// # Errors
    /// The store's.
    pub async fn stage_page(
        &self,
        run: &Run,
        page: &[StagedMember],
        malformed: i64,
        lease: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let held = tx
            .execute(
                "/* reconcile_hold */ update reconciliation_run set next_page = next_page + 1, lease_until = $3
                 where id = $1 and holder = $2 and finished_at is null",
                &[&run.id, &run.holder, &until(self.clock().now(), lease)],
            )
            .await?;
        if held == 0 {
            return Ok(None);
        }
        let staged = tx
            .execute(
                "/* reconcile_stage */ insert into reconciliation_member (run_id, member_id, data, active, fetched_at)
                 select $1, v.* from unnest($2::text[], $3::jsonb[], $4::bool[], $5::timestamptz[]) v
                 on conflict do nothing",
                &[
                    &run.id,
                    &page.iter().map(|member| &member.member_id).collect::<Vec<_>>(),
                    &page.iter().map(|member| &member.data).collect::<Vec<_>>(),
                    &page.iter().map(|member| member.active).collect::<Vec<_>>(),
                    &page.iter().map(|member| member.fetched_at).collect::<Vec<_>>(),
                ],
            )
            .await?;
        tx.execute(
            "/* reconcile_fetched */ update reconciliation_run set fetched = fetched + $2, malformed = malformed + $3
             where id = $1",
            &[&run.id, &i64::try_from(staged).unwrap_or(i64::MAX), &malformed],
        )
        .await?;
        tx.commit().await?;
        Ok(Some(staged))
    }

    /// How many active members the core system told of, and how many we hold that are not archived.
    ///
    /// # Errors
    /// The store's.
    pub async fn run_plausibility(&self, run: &Run) -> Result<(i64, i64), StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "/* reconcile_plausibility */ select
                     (select count(*) from reconciliation_member where run_id = $1 and active),
                     (select count(*) from members where campus_id = $2 and not is_archived)",
                &[&run.id, &run.campus_id],
            )
            .await?;
        Ok((row.get(0), row.get(1)))
    }

    /// The staged, active members after the run's cursor.
    ///
    /// # Errors
    /// The store's.
    pub async fn staged_members(&self, run: &Run, limit: i64) -> Result<Vec<StagedMember>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* reconcile_staged */ select member_id, data, active, fetched_at from reconciliation_member
                 where run_id = $1 and member_id > $2 and active order by member_id limit $3",
                &[&run.id, &run.cursor, &limit],
            )
            .await?;
        let staged = |row: &tokio_postgres::Row| StagedMember {
            member_id: row.get("member_id"),
            data: row.get("data"),
            active: row.get("active"),
            fetched_at: row.get("fetched_at"),
        };
        Ok(rows.iter().map(staged).collect())
    }

    /// Members after the run's cursor that we hold and the core system did not tell of. Who came, or was last
    /// synced, after the run began is not among them: the core system may have been asked before.
    ///
    /// # Errors
    /// The store's.
    pub async fn unmentioned_members(&self, run: &Run, limit: i64) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* reconcile_unmentioned */ select m.member_id from members m
                 where m.campus_id = $2 and m.member_id > $3 and not m.is_archived
                   and coalesce(m.synced_at, m.created_at) < $4
                   and not exists (select 1 from reconciliation_member s
                                   where s.run_id = $1 and s.member_id = m.member_id and s.active)
                 order by m.member_id limit $5",
                &[&run.id, &run.campus_id, &run.cursor, &run.started_at, &limit],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Writes a step's changes and moves the run. `false` where another worker has taken the run; nothing is written
    /// then.
    ///
    /// # Errors
    /// [`StoreError::is_data`] where a change is refused; else the database's trouble.
    pub async fn advance_run(
        &self,
        run: &Run,
        changes: &[Change],
        step: &Step,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let RunCounts { created, updated, archived, restored, filtered, unchanged, malformed } = step.counts;
        let hit = tx
            .execute(
                "/* reconcile_advance */ update reconciliation_run
                 set phase = $3, cursor = $4, lease_until = $5, created = created + $6, updated = updated + $7,
                     archived = archived + $8, restored = restored + $9, filtered = filtered + $10,
                     unchanged = unchanged + $11, malformed = malformed + $12
                 where id = $1 and holder = $2 and finished_at is null",
                &[
                    &run.id,
                    &run.holder,
                    &step.phase.name(),
                    &step.cursor,
                    &until(self.clock().now(), lease),
                    &created,
                    &updated,
                    &archived,
                    &restored,
                    &filtered,
                    &unchanged,
                    &malformed,
                ],
            )
            .await?;
        if hit == 0 {
            return Ok(false);
        }
        apply::apply(&tx, &changes.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(true)
    }
}
