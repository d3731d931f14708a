//! *Settle*: writes the verdict, then wakes whoever is next, then acknowledges. In this order.
//!
//! The only caller of the store's settle, and the only acknowledgement. A settle that fails because the store is away is
//! tried again for a while, because the work is done; then the event is released and will be made again. A retry whose
//! publish is not confirmed is acknowledged all the same: its row has a time, and the sweeper owns it from then on.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    backoff::Backoff,
    message::Message,
    outcome::{Outcome, OutcomeError},
    queue::{Published, Queue, Receipt, Route},
    store::{Settled, Settlement, StoreError, Verdict},
};

use crate::{
    attempt::{
        claim::Claimed,
        verdict::{self, Judged, Sentence},
    },
    handler::Cause,
    handlers::mail::EMAIL_QUEUE,
    house::House,
};

/// How long a finished attempt is kept in memory for a store that is away.
const PATIENCE: Duration = Duration::from_secs(20);

/// Carries the verdict out.
pub(crate) async fn settle(house: &House, claimed: Claimed<'_>, judged: Judged) {
    let Claimed { message, receipt, .. } = claimed;
    let mut sentence = match judged {
        Judged::Settle(sentence) => *sentence,
        Judged::Release(why) => return release(house, message, receipt, &why).await,
        Judged::Defer(until) => return defer(house, message, receipt, until).await,
    };
    let mut settled = write(house, &message, &sentence).await;
    if let Err(error) = &settled
        && error.is_data()
    {
        sentence = verdict::noted(house, &message, verdict::refused(&message.event, &sentence, &error.detail()));
        settled = write(house, &message, &sentence).await;
        if settled.as_ref().is_err_and(|error| error.is_data()) {
            // What the handler's own tables were to say of it is refused, too: the ledger has it all the same.
            sentence.changes = [].into();
            settled = write(house, &message, &sentence).await;
        }
    }
    match settled {
        Ok(Settled::Now) => {
            house.metrics.settled(&message.event, &sentence.verdict, sentence.took);
            if !sentence.verdict.status().is_open() {
                let age = house.clock.now().duration_since(message.event.received_at);
                house.metrics.finished(&message.event.source, age.as_secs_f64());
            }
            if sentence.changes.iter().any(|change| std::ptr::eq(change.table(), &EMAIL_QUEUE)) {
                house.mail_queued.notify_one();
            }
            tell(house, &message, &sentence);
            if let (Verdict::Retry { climbed, .. }, Some(level)) = (&sentence.verdict, sentence.level) {
                wake(house, message, *climbed, level).await;
            }
            receipt.done();
        }
        Ok(Settled::Before) => {
            house.metrics.stale();
            receipt.done();
        }
        Err(error) => release(house, message, receipt, &error.detail()).await,
    }
}

/// Makes an event a dead letter that no handler is to see.
pub(crate) async fn bury(house: &House, message: &Message, cause: &Cause) -> Result<(), Arc<StoreError>> {
    let sentence = verdict::buried(&message.event, cause, house.clock.now(), Duration::ZERO);
    let sentence = verdict::noted(house, message, sentence);
    if write(house, message, &sentence).await? == Settled::Now {
        house.metrics.settled(&message.event, &sentence.verdict, sentence.took);
        tell(house, message, &sentence);
    }
    Ok(())
}

/// Submits the settlement, again and again while the store is away.
async fn write(house: &House, message: &Message, sentence: &Sentence) -> Result<Settled, Arc<StoreError>> {
    let mut backoff = Backoff::default();
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let settlement = Settlement {
            event: message.event.clone(),
            traceparent: message.traceparent.clone(),
            attempt: message.attempt,
            verdict: sentence.verdict.clone(),
            changes: Arc::clone(&sentence.changes),
            reply: sentence.reply.clone(),
            error: sentence.error.clone(),
            started_at: sentence.started_at,
            took: sentence.took,
        };
        match house.settle.submit_patiently(settlement).await {
            Ok(settled) => return Ok(settled),
            Err(error) if error.is_data() => return Err(error),
            Err(error) => {
                let pause = backoff.next();
                if tokio::time::Instant::now() + pause > patience {
                    return Err(error);
                }
                tracing::warn!(event = %message.id(), %error, "an attempt could not be settled yet");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Tells a sender that waits. One that does not is the ordinary case.
fn tell(house: &House, message: &Message, sentence: &Sentence) {
    let outcome = Outcome {
        status: sentence.verdict.status(),
        reply: sentence.reply.clone(),
        error: sentence
            .error
            .as_ref()
            .map(|error| OutcomeError { class: error.class.clone(), message: error.message.clone() }),
    };
    house.outcomes.tell(message.id(), &outcome);
    if let (Queue::Broker(broker), Some(to)) = (&house.queue, &message.reply_to) {
        broker.reply(to, message.id(), outcome.to_bytes());
    }
}

/// Sends the next attempt's message to its delay level.
async fn wake(house: &House, mut message: Message, climbed: u8, level: u8) {
    message.attempt = message.attempt.next();
    message.climbed = climbed;
    let id = message.id();
    let verdicts = house.queue.publish(vec![(message.slimmed(), Route::Level(level))]).await;
    if verdicts.first() != Some(&Published::Confirmed) {
        tracing::warn!(event = %id, "a retry's message was not confirmed; the sweeper will publish it when it is due");
    }
}

/// Not its turn yet: the row keeps it until then, and then a claim or the sweeper takes it. A queue would only carry it
/// round and round.
async fn defer(house: &House, message: Message, receipt: Receipt, until: Timestamp) {
    match house.store.release(&[message.id()], until).await {
        Ok(()) => {
            house.metrics.deferred(&message.event.source);
            receipt.done();
        }
        Err(error) => release(house, message, receipt, &error.detail()).await,
    }
}

/// Our own fault: gives the event back as it was. It comes again after the schedule's shortest delay, at the same
/// attempt.
pub(crate) async fn release(house: &House, message: Message, receipt: Receipt, why: &str) {
    let id = message.id();
    tracing::warn!(event = %id, reason = why, "released: the fault is ours and costs no attempt");
    house.metrics.released(&message.event.source);
    match &house.queue {
        Queue::Broker(_) => {
            // Confirmed or not: the row is open, and the sweeper finds it when its time has passed.
            let _sweeper_owns_the_rest = house.queue.publish(vec![(message.slimmed(), Route::Level(0))]).await;
        }
        Queue::Store(_) => {
            let pause = house.settings.retry.schedule.delay(0).unwrap_or(PATIENCE);
            let due = house.clock.now() + SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
            if let Err(error) = house.store.release(&[id], due).await {
                tracing::warn!(event = %id, %error, "not released either; its lease will end");
            }
        }
    }
    receipt.done();
}
