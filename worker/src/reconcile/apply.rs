//! *Applying*: a batch of staged members is compared with ours, and what differs is created, updated or restored.
//!
//! A member whose data cannot be read or stored is counted and passed over: one bad row does not keep the others out.

use std::collections::HashMap;

use lychgate_common::{
    campus::Campus,
    change::Change,
    store::{KnownMember, Run, RunCounts, RunPhase, StagedMember, Step},
};
use serde_json::Value;

use super::{ReconcileError, Reconciler, Went, stamp};
use crate::{
    core_api::CoreMember,
    handlers::faithflow::{CampusFilter, create, filtered, restore, upsert, was_deleted_in_core},
};

/// What is to be done about one member.
struct Difference {
    changes: Vec<Change>,
    counts: RunCounts,
}

impl Reconciler {
    /// One batch.
    pub(super) async fn apply(&self, run: &Run, campus: &Campus) -> Result<Went, ReconcileError> {
        let staged = self.store.staged_members(run, self.settings.batch.into()).await?;
        let Some(last) = staged.last() else {
            let step = Step { phase: RunPhase::Archiving, cursor: String::new(), counts: RunCounts::default() };
            return self.advance(run, &[], &step).await;
        };
        let filter = CampusFilter::read(&campus.filters)?;
        let ids: Vec<&str> = staged.iter().map(|member| member.member_id.as_str()).collect();
        let known = self.store.known_members(campus.id, &ids).await?;
        let known: HashMap<&str, &KnownMember> =
            known.iter().map(|member| (member.member_id.as_str(), member)).collect();
        let differences: Vec<Difference> = staged
            .iter()
            .map(|member| difference(run, campus, &filter, member, known.get(member.member_id.as_str()).copied()))
            .collect();
        let counts = differences.iter().fold(RunCounts::default(), |sum, one| sum + one.counts);
        let changes: Vec<Change> = differences.iter().flat_map(|one| one.changes.clone()).collect();
        let step = Step { phase: RunPhase::Applying, cursor: last.member_id.clone(), counts };
        match self.advance(run, &changes, &step).await {
            Err(ReconcileError::Store(error)) if error.is_data() => self.one_by_one(run, &differences, step).await,
            other => other,
        }
    }

    /// After the database refused a batch: each member by itself, the guilty ones counted. Safe to repeat.
    async fn one_by_one(&self, run: &Run, differences: &[Difference], mut step: Step) -> Result<Went, ReconcileError> {
        step.counts = RunCounts::default();
        for difference in differences {
            step.counts = step.counts
                + match self.store.apply(&difference.changes).await {
                    Ok(()) => difference.counts,
                    Err(error) if error.is_data() => RunCounts { malformed: 1, ..RunCounts::default() },
                    Err(error) => return Err(error.into()),
                };
        }
        self.advance(run, &[], &step).await
    }

    /// Writes a step, if the run is still ours.
    pub(super) async fn advance(&self, run: &Run, changes: &[Change], step: &Step) -> Result<Went, ReconcileError> {
        match self.store.advance_run(run, changes, step, self.settings.lease).await? {
            true => Ok(Went::On),
            false => Err(ReconcileError::Lost),
        }
    }
}

fn difference(
    run: &Run,
    campus: &Campus,
    filter: &CampusFilter,
    staged: &StagedMember,
    known: Option<&KnownMember>,
) -> Difference {
    let stamp = stamp(run, staged.fetched_at);
    let Some(member) = readable(staged) else {
        return Difference { changes: vec![], counts: RunCounts { malformed: 1, ..RunCounts::default() } };
    };
    let Some(known) = known else {
        return match filter.keeps_out(&member, stamp.at) {
            Some(why) => Difference {
                changes: vec![filtered(campus, &member.id, &why, &stamp)],
                counts: RunCounts { filtered: 1, ..RunCounts::default() },
            },
            None => Difference {
                changes: vec![create(campus, &member, &stamp)],
                counts: RunCounts { created: 1, ..RunCounts::default() },
            },
        };
    };
    let (differs, gone) = (differs(&member, known), was_deleted_in_core(known));
    let mut changes = Vec::new();
    if differs || gone {
        changes.push(upsert(campus, &member, &stamp));
    }
    if gone {
        changes.push(restore(campus, &member.id, &stamp));
    }
    let counts = RunCounts {
        updated: i64::from(differs && !gone),
        restored: i64::from(gone),
        unchanged: i64::from(!differs && !gone),
        ..RunCounts::default()
    };
    Difference { changes, counts }
}

fn readable(staged: &StagedMember) -> Option<CoreMember> {
    let Value::Object(data) = staged.data.clone() else { return None };
    match CoreMember::read(data, Some(&staged.member_id)) {
        Ok(member) => Some(member),
        Err(reason) => {
            tracing::warn!(member = staged.member_id, %reason, "reconciliation passes over a member");
            None
        }
    }
}

/// Whether anything that the core system speaks of is not what we have.
fn differs(member: &CoreMember, known: &KnownMember) -> bool {
    let birth_date = known.birth_date.map(|date| date.to_string());
    let ours = |column: &str| match column {
        "name" => known.name.as_deref(),
        "phone" => known.phone.as_deref(),
        "gender" => known.gender.as_deref(),
        "birth_date" => birth_date.as_deref(),
        "photo_url" => known.photo_url.as_deref(),
        _ => None,
    };
    member.profile.iter().any(|(column, value)| value.as_str() != ours(column))
}
