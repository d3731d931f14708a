//! *Archiving*: members that the core system did not tell of are asked for by name, and archived where it has them no
//! more.
//!
//! The question is asked because pages shift while they are read: a member deleted on an early page makes another slip
//! past the later ones, and that one must not be archived.

use lychgate_common::{
    campus::Campus,
    store::{Run, RunCounts, RunEnd, RunPhase, Step},
};

use super::{ReconcileError, Reconciler, Went, stamp};
use crate::{
    core_api::CoreError,
    handlers::faithflow::{archive, upsert},
};

/// Members asked for in one step: each is a request, and the run's place is kept between the steps.
const BATCH: i64 = 20;

impl Reconciler {
    /// A few members.
    pub(super) async fn archive(&self, run: &Run, campus: &Campus) -> Result<Went, ReconcileError> {
        let missing = self.store.unmentioned_members(run, BATCH).await?;
        let Some(last) = missing.last() else { return Ok(Went::Ended(RunEnd::Done)) };
        let mut changes = Vec::new();
        let mut counts = RunCounts::default();
        for member_id in &missing {
            let at = self.store.clock().now();
            let stamp = stamp(run, at);
            match self.core.member(campus, member_id, at).await {
                Ok(member) if member.active => {
                    changes.push(upsert(campus, &member, &stamp));
                    counts.unchanged += 1;
                }
                Ok(_) | Err(CoreError::NotFound | CoreError::MemberId(_)) => {
                    changes.push(archive(campus, member_id, &stamp));
                    counts.archived += 1;
                }
                Err(CoreError::Malformed(reason)) => {
                    tracing::warn!(member = member_id, %reason, "reconciliation passes over a member");
                    counts.malformed += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let step = Step { phase: RunPhase::Archiving, cursor: last.clone(), counts };
        self.advance(run, &changes, &step).await
    }
}
