//! *Fetching*: one page of the core system's members is asked for and staged; after the last, the whole is judged.
//!
//! Changes no member. The end of the pages is what the core system says it is, or the page that brings nothing new.

use jiff::Timestamp;
use lychgate_common::{
    campus::Campus,
    source::NAME_LIMIT,
    store::{Run, RunCounts, RunEnd, RunPhase, StagedMember, Step},
};
use serde_json::{Map, Value};

use super::{ReconcileError, Reconciler, Went};
use crate::core_api;

impl Reconciler {
    /// One page.
    pub(super) async fn fetch(&self, run: &Run, campus: &Campus) -> Result<Went, ReconcileError> {
        let asked_at = self.store.clock().now();
        let number = u32::try_from(run.next_page).unwrap_or(1);
        let Some(page) = self.core.page(campus, number, asked_at).await? else { return self.judge(run).await };
        let (mut members, mut malformed) = (Vec::new(), 0);
        for data in page.members {
            match staged(data, asked_at) {
                Ok(member) => members.push(member),
                Err(why) => {
                    tracing::warn!(run = %run.id, campus = %run.campus_id, page = number, why, "a member is left out");
                    malformed += 1;
                }
            }
        }
        let staged = self.store.stage_page(run, &members, malformed, self.settings.lease).await?;
        let staged = staged.ok_or(ReconcileError::Lost)?;
        // A page that brings nothing new is the end, unless all that it brought was left out.
        let left_out = members.is_empty() && malformed > 0 && run.fetched > 0;
        if page.last || (staged == 0 && !left_out) { self.judge(run).await } else { Ok(Went::On) }
    }

    /// Whether the answer as a whole can be believed.
    async fn judge(&self, run: &Run) -> Result<Went, ReconcileError> {
        let (told, held) = self.store.run_plausibility(run).await?;
        if let Some(why) = doubt(told, held, self.settings.least).filter(|_| !run.forced) {
            return Ok(Went::Ended(RunEnd::LeftAlone(why)));
        }
        let step = Step { phase: RunPhase::Applying, cursor: String::new(), counts: RunCounts::default() };
        match self.store.advance_run(run, &[], &step, self.settings.lease).await? {
            true => Ok(Went::On),
            false => Err(ReconcileError::Lost),
        }
    }
}

/// A member that the database can hold, or what is wrong with it. One bad row does not keep the others out.
fn staged(data: Map<String, Value>, fetched_at: Timestamp) -> Result<StagedMember, String> {
    let member_id = core_api::id(&data).ok_or("it has no id")?;
    if member_id.len() > NAME_LIMIT {
        return Err(format!("its id has more than {NAME_LIMIT} bytes"));
    }
    let (active, data) = (core_api::is_active(&data), Value::Object(data));
    if holds_nul(&data) {
        return Err(format!("member {member_id} holds a NUL, which no database text can"));
    }
    Ok(StagedMember { member_id, active, data, fetched_at })
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Why an answer with `told` members is not believed where we hold `held`.
fn doubt(told: i64, held: i64, least: lychgate_common::settings::Share) -> Option<String> {
    let least = i64::try_from(least.of(usize::try_from(held).unwrap_or(0))).unwrap_or(i64::MAX);
    let why = match told {
        0 => "the core system told of no members".to_owned(),
        told if held > 0 && told < least => {
            format!("the core system told of {told} members only, where {held} are stored")
        }
        _ => return None,
    };
    Some(format!("{why}; nothing was changed (`lychgate campus reconcile --force` believes it)"))
}

#[cfg(test)]
mod tests {
    use lychgate_common::settings::Share;

    use super::*;

    #[test]
    fn an_empty_answer_and_less_than_half_are_doubted() {
        for (told, held, doubted) in
            [(0, 0, true), (0, 10, true), (4, 10, true), (5, 10, false), (5, 11, false), (1, 0, false), (1, 1, false)]
        {
            assert_eq!(doubt(told, held, Share::HALF).is_some(), doubted, "{told} of {held}");
        }
    }
}
