//! *Verdict*: what becomes of the event. A pure function of outcome, attempt, schedule and time.
//!
//! Permanent: the dead letters, at once. Temporary: one level up the schedule, never before a `Retry-After`, then the
//! dead letters. Ours: released, at no cost; so is what must wait for its turn. There is no other class, and nothing is
//! a success by default.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::Change,
    event::Event,
    message::Message,
    queue::{Queue, RetrySchedule},
    store::{AttemptError, Verdict, fingerprint},
};
use serde_json::Value;

use crate::{
    attempt::{claim::Claimed, handle::Outcome},
    handler::{Cause, Failure, Noted},
    house::House,
};

/// A verdict with all that is to be written.
#[derive(Debug)]
pub(crate) enum Judged {
    /// To be settled.
    Settle(Box<Sentence>),
    /// Our own fault: the event goes back as it was; says why.
    Release(String),
    /// Not its turn yet: the event goes back as it was, until then.
    Defer(Timestamp),
}

/// What is to be written about an attempt.
#[derive(Debug)]
pub(crate) struct Sentence {
    pub(crate) verdict: Verdict,
    pub(crate) changes: Arc<[Change]>,
    pub(crate) reply: Option<Value>,
    pub(crate) error: Option<AttemptError>,
    /// The level on which a retried event waits; `None` where only its row's time wakes it.
    pub(crate) level: Option<u8>,
    pub(crate) started_at: Timestamp,
    pub(crate) took: Duration,
}

/// Judges an outcome.
pub(crate) fn judge(house: &House, claimed: &Claimed<'_>, outcome: Outcome) -> Judged {
    let message = &claimed.message;
    let policy = Policy {
        schedule: &house.settings.retry.schedule,
        patience: house.settings.retry.retry_after_max,
        // Where the store is the queue the row's own time wakes it; a broker's delay queue gets its grace on top.
        grace: match &house.queue {
            Queue::Broker(_) => Some(house.settings.sweep.grace),
            Queue::Store(_) => None,
        },
    };
    match sentence(&policy, &message.event, message.climbed, house.clock.now(), outcome) {
        Judged::Settle(sentence) => Judged::Settle(Box::new(noted(house, message, *sentence))),
        open @ (Judged::Release(_) | Judged::Defer(_)) => open,
    }
}

/// Adds what the handler's own tables are to say about the attempt.
pub(crate) fn noted(house: &House, message: &Message, mut sentence: Sentence) -> Sentence {
    let registry = house.registry.load();
    let Some(handler) = registry.handler(&message.event) else { return sentence };
    let noted = handler.note(&Noted {
        event: &message.event,
        attempt: message.attempt,
        verdict: &sentence.verdict,
        error: sentence.error.as_ref(),
    });
    if !noted.is_empty() {
        sentence.changes = sentence.changes.iter().cloned().chain(noted).collect();
    }
    sentence
}

/// How failed attempts are repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    schedule: &'a RetrySchedule,
    /// The most that a `Retry-After` is believed.
    patience: Duration,
    grace: Option<Duration>,
}

fn sentence(policy: &Policy<'_>, event: &Event, climbed: u8, now: Timestamp, outcome: Outcome) -> Judged {
    let Outcome { result, started_at, took, poison } = outcome;
    let plain =
        |verdict| Sentence { verdict, changes: [].into(), reply: None, error: None, level: None, started_at, took };
    let sentence = match result {
        Ok(handled) => {
            let verdict = handled.ignored.map_or(Verdict::Succeeded, Verdict::Ignored);
            Sentence { changes: handled.changes.into(), reply: handled.reply, ..plain(verdict) }
        }
        Err(Failure::Ours(cause)) => return Judged::Release(cause.stack().join(": ")),
        Err(Failure::Deferred { until, .. }) => return Judged::Defer(until),
        Err(Failure::Permanent(cause)) => {
            let outcome = if poison { "poison" } else { "permanent" };
            Sentence { error: Some(error(outcome, &cause)), ..plain(dead(event, &cause)) }
        }
        Err(Failure::Temporary { cause, retry_after }) => {
            let (verdict, level) = match retry(policy, event, climbed, now, retry_after) {
                Some(retry) => retry,
                None => (dead(event, &cause), None),
            };
            Sentence { error: Some(error("temporary", &cause)), level, ..plain(verdict) }
        }
    };
    Judged::Settle(Box::new(sentence))
}

/// One level up, or none left. Without a level the event waits in its row alone: it was asked for longer than any level
/// lasts.
fn retry(
    policy: &Policy<'_>,
    event: &Event,
    climbed: u8,
    now: Timestamp,
    retry_after: Option<Duration>,
) -> Option<(Verdict, Option<u8>)> {
    let delay = policy.schedule.delay(climbed)?;
    let asked = retry_after.unwrap_or(Duration::ZERO).min(policy.patience);
    let level = policy.schedule.level_lasting(climbed, asked);
    let wait = level.and_then(|level| policy.schedule.delay(level)).unwrap_or(asked).max(delay);
    let wait = if policy.grace.is_none() { wait + jitter(event, climbed, wait) } else { wait };
    let at = now + signed(wait);
    // No message comes that the sweeper should leave time for.
    let grace = if level.is_some() { policy.grace } else { None };
    let sweep_at = at + signed(grace.unwrap_or(Duration::ZERO));
    Some((Verdict::Retry { climbed: climbed.saturating_add(1), at, sweep_at }, level))
}

/// Up to a tenth of the wait, by the event's id, so that events which failed together do not come back together.
fn jitter(event: &Event, climbed: u8, wait: Duration) -> Duration {
    let last = event
        .id
        .uuid()
        .as_bytes()
        .iter()
        .fold(u32::from(climbed), |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    wait.mul_f64(f64::from(last % 1000) / 10_000.0)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn dead(event: &Event, cause: &Cause) -> Verdict {
    Verdict::Dead { fingerprint: fingerprint(&event.source, &event.kind, cause.class, &cause.message) }
}

/// A failure in the ledger's form.
pub(crate) fn error(outcome: &'static str, cause: &Cause) -> AttemptError {
    AttemptError { outcome, class: cause.class.to_owned(), message: cause.message.clone(), stack: cause.stack() }
}

/// The database refused what the handler wanted written: nobody but an operator can help.
pub(crate) fn refused(event: &Event, sentence: &Sentence, why: &str) -> Sentence {
    let cause = Cause::new("data_refused", format!("the database refused the changes: {why}"));
    buried(event, &cause, sentence.started_at, sentence.took)
}

/// A dead letter whatever its handler has to say, or would have had.
pub(crate) fn buried(event: &Event, cause: &Cause, started_at: Timestamp, took: Duration) -> Sentence {
    Sentence {
        verdict: dead(event, cause),
        changes: [].into(),
        reply: None,
        error: Some(error("permanent", cause)),
        level: None,
        started_at,
        took,
    }
}

#[cfg(test)]
mod tests;
