//! The verdict's whole table, and its bounds as properties.

use std::sync::Arc;

use bytes::Bytes;
use lychgate_common::event::EventId;
use proptest::prelude::*;

use super::*;
use crate::handler::Handled;

/// The most that a `Retry-After` is believed here.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

fn event() -> Event {
    Event {
        id: EventId::new(Timestamp::UNIX_EPOCH),
        source: Arc::from("platform"),
        preset: Arc::from("platform"),
        tenant: Arc::from(""),
        kind: Arc::from("user.created"),
        subject: None,
        occurred_at: None,
        received_at: Timestamp::UNIX_EPOCH,
        body: Bytes::new(),
    }
}

fn judged(climbed: u8, grace: Option<Duration>, result: Result<Handled, Failure>) -> Judged {
    let schedule = RetrySchedule::default();
    let outcome = Outcome { result, started_at: Timestamp::UNIX_EPOCH, took: Duration::ZERO, poison: false };
    sentence(
        &Policy { schedule: &schedule, patience: PATIENCE, grace },
        &event(),
        climbed,
        Timestamp::UNIX_EPOCH,
        outcome,
    )
}

fn temporary(retry_after: Option<u64>) -> Result<Handled, Failure> {
    Err(Failure::Temporary { cause: Cause::new("away", "away"), retry_after: retry_after.map(Duration::from_secs) })
}

fn settled(judged: Judged) -> Sentence {
    match judged {
        Judged::Settle(sentence) => *sentence,
        Judged::Release(why) => panic!("released: {why}"),
        Judged::Defer(until) => panic!("deferred until {until}"),
    }
}

#[test]
fn a_temporary_failure_climbs_five_levels_and_dies() {
    let grace = Some(Duration::from_secs(30));
    for (climbed, delay) in [(0, 15), (1, 60), (2, 300), (3, 900), (4, 3600)] {
        let sentence = settled(judged(climbed, grace, temporary(None)));
        let at = Timestamp::from_second(delay).unwrap();
        let sweep_at = Timestamp::from_second(delay + 30).unwrap();
        assert_eq!(sentence.verdict, Verdict::Retry { climbed: climbed + 1, at, sweep_at });
        assert_eq!(sentence.level, Some(climbed));
    }
    assert!(matches!(settled(judged(5, grace, temporary(None))).verdict, Verdict::Dead { .. }));
}

#[test]
fn a_permanent_failure_dies_at_once_and_ours_costs_nothing() {
    let permanent = judged(0, None, Err(Failure::permanent("member_not_found", "Member not found")));
    assert!(matches!(settled(permanent).verdict, Verdict::Dead { .. }));
    let ours = judged(0, None, Err(Failure::Ours(Cause::new("store_away", "the store is away"))));
    assert!(matches!(ours, Judged::Release(_)));
}

#[test]
fn success_and_nothing_to_do_are_told_apart() {
    assert_eq!(settled(judged(0, None, Ok(Handled::default()))).verdict, Verdict::Succeeded);
    let ignored = settled(judged(0, None, Ok(Handled::ignored("filtered"))));
    assert_eq!(ignored.verdict, Verdict::Ignored("filtered".to_owned()));
}

proptest! {
    #[test]
    fn no_retry_comes_before_its_level_or_before_it_was_asked_for(
        climbed in 0u8..5, asked in prop_oneof![0u64..7200, any::<u64>()], broker in any::<bool>(),
    ) {
        let grace = broker.then_some(Duration::from_secs(30));
        let sentence = settled(judged(climbed, grace, temporary(Some(asked))));
        let Verdict::Retry { at, sweep_at, .. } = sentence.verdict else { panic!("not retried") };
        let delay = RetrySchedule::default().delay(climbed).unwrap();
        let believed = Duration::from_secs(asked).min(PATIENCE);
        prop_assert!(at >= Timestamp::UNIX_EPOCH + signed(delay.max(believed)));
        prop_assert!(at <= Timestamp::UNIX_EPOCH + signed(PATIENCE * 2));
        prop_assert!(sweep_at >= at);
        // What no level lasts for is woken by its row's time, without any grace for a message.
        let longest = Duration::from_secs(3600);
        prop_assert_eq!(sentence.level.is_none(), believed > longest);
        prop_assert!(sentence.level.is_some() || sweep_at == at);
    }
}
