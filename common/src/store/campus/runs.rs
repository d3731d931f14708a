//! Reconciliation runs: planned once a campus and day, held by one worker at a time, ended once.
//!
//! Planning and claiming happen in one short transaction under an advisory lock. Whoever holds a run proves it with its
//! name at every move; a move by one who lost the run (its lease ran out and another took it) does not hit.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date};
use tokio_postgres::Row;
use uuid::Uuid;

use super::run::{CampusClock, NewRun, Run, RunEnd, RunPhase, run_of};
use crate::{
    campus::CampusError,
    event::EventId,
    store::{Store, StoreError},
};

impl Store {
    /// The enabled campuses and the last day each was reconciled for.
    ///
    /// # Errors
    /// The store's.
    pub async fn campus_clocks(&self) -> Result<Vec<CampusClock>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* reconcile_clocks */ select c.campus_id, c.time_zone, c.created_at,
                     (select max(day) from reconciliation_run r
                      where r.campus_id = c.campus_id and r.cause = 'daily') as last_day
                 from campus_sync c where c.enabled",
                &[],
            )
            .await?;
        let clock = |row: &Row| CampusClock {
            campus_id: row.get("campus_id"),
            time_zone: row.get("time_zone"),
            created_at: row.get("created_at"),
            last_day: row.get("last_day"),
        };
        Ok(rows.iter().map(clock).collect())
    }

    /// Starts the runs that are due and nobody has started, and claims the oldest open run that nobody holds. `None`
    /// where there is none, or where another worker is just planning.
    ///
    /// # Errors
    /// The store's.
    pub async fn claim_run(&self, due: &[NewRun], holder: &str, lease: Duration) -> Result<Option<Run>, StoreError> {
        let now = self.clock().now();
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let alone = tx
            .query_one("/* reconcile_lock */ select pg_try_advisory_xact_lock(hashtext('lychgate.reconcile'))", &[])
            .await?;
        if !alone.get::<_, bool>(0) {
            return Ok(None);
        }
        for run in due {
            tx.execute(
                "/* reconcile_start */ insert into reconciliation_run (id, campus_id, cause, day, started_at, lease_until)
                 values ($1, $2, 'daily', $3, $4, $4) on conflict do nothing",
                &[&EventId::new(now).uuid(), &run.campus_id, &run.day, &now],
            )
            .await?;
        }
        let claimed = tx
            .query_opt(
                "/* reconcile_claim */ update reconciliation_run set holder = $1, lease_until = $2
                 where id = (select id from reconciliation_run where finished_at is null and lease_until <= $3
                             order by lease_until, id limit 1 for update skip locked)
                 returning *",
                &[&holder, &until(now, lease), &now],
            )
            .await?;
        tx.commit().await?;
        claimed.as_ref().map(run_of).transpose()
    }

    /// Starts a run at an operator's word, or takes over one that was interrupted or rests. `None` where another worker
    /// is at it.
    ///
    /// # Errors
    /// [`CampusError::Unknown`]; the store's.
    pub async fn demand_run(
        &self,
        church_id: &str,
        day: Date,
        forced: bool,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<Run>, CampusError> {
        let now = self.clock().now();
        let client = self.client().await?;
        let known = client
            .query_opt("/* reconcile_campus */ select campus_id from campus_sync where church_id = $1", &[&church_id])
            .await
            .map_err(StoreError::from)?;
        let Some(campus) = known else { return Err(CampusError::Unknown(church_id.to_owned())) };
        let run = client
            .query_opt(
                "/* reconcile_demand */ insert into reconciliation_run as r
                     (id, campus_id, cause, day, forced, started_at, holder, lease_until)
                 values ($1, $2, 'demand', $3, $4, $5, $6, $7)
                 on conflict (campus_id) where finished_at is null do update
                     set forced = r.forced or excluded.forced, holder = excluded.holder,
                         lease_until = excluded.lease_until
                     where r.lease_until <= $5 or r.holder is null
                 returning *",
                &[
                    &EventId::new(now).uuid(),
                    &campus.get::<_, Uuid>(0),
                    &day,
                    &forced,
                    &now,
                    &holder,
                    &until(now, lease),
                ],
            )
            .await
            .map_err(StoreError::from)?;
        Ok(run.as_ref().map(run_of).transpose()?)
    }

    /// Ends a run and forgets what was fetched for it. `false` where another worker has taken it.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_run(&self, run: &Run, end: &RunEnd) -> Result<bool, StoreError> {
        let (phase, error) = match end {
            RunEnd::Done => (RunPhase::Done, None),
            RunEnd::LeftAlone(why) => (RunPhase::LeftAlone, Some(why)),
            RunEnd::Failed(why) => (RunPhase::Failed, Some(why)),
        };
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let hit = tx
            .execute(
                "/* reconcile_end */ update reconciliation_run set phase = $3, error = $4, finished_at = $5
                 where id = $1 and holder = $2 and finished_at is null",
                &[&run.id, &run.holder, &phase.name(), &error, &self.clock().now()],
            )
            .await?;
        if hit == 0 {
            return Ok(false);
        }
        tx.execute("/* reconcile_forget */ delete from reconciliation_member where run_id = $1", &[&run.id]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lays a run aside for `pause` (zero: for whoever comes next), because of a passing fault where `error` names one.
    ///
    /// # Errors
    /// The store's.
    pub async fn postpone_run(&self, run: &Run, pause: Duration, error: Option<&str>) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "/* reconcile_postpone */ update reconciliation_run
                 set lease_until = $3, holder = null, error = coalesce($4, error),
                     failures = failures + ($4 is not null)::int
                 where id = $1 and holder = $2 and finished_at is null",
                &[&run.id, &run.holder, &until(self.clock().now(), pause), &error],
            )
            .await?;
        Ok(())
    }

    /// A run by its id.
    ///
    /// # Errors
    /// The store's.
    pub async fn run(&self, id: Uuid) -> Result<Option<Run>, StoreError> {
        let client = self.client().await?;
        let row =
            client.query_opt("/* reconcile_run */ select * from reconciliation_run where id = $1", &[&id]).await?;
        row.as_ref().map(run_of).transpose()
    }
}

/// The end of a lease or pause.
pub(super) fn until(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| now.checked_add(span).ok()).unwrap_or(Timestamp::MAX)
}
