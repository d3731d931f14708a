//! Takes mails up: each that waits becomes an event of the ledger, and so a worker's work like any other.
//!
//! The order of writes: event, then the mail's row, then the queue. A crash between two of them leaves a mail that is
//! taken up again, which finds its event by its key, or an event that the sweeper publishes. Woken in this process when
//! a settled attempt has queued a mail, by the database when another application has, and by the clock for what was
//! missed. Does nothing where there is no way to send: then mails wait.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use lychgate_common::{
    backoff::Backoff,
    event::{Attempt, Event, EventId},
    message::Message,
    queue::{Published, Queue, Route},
    source::MAIL,
    stop::Stop,
    store::{Keys, MAIL_CHANNEL, NewEvent, PendingMail, Recorded, Recorder, StoreError, Write},
};

use crate::{handlers::mail::address, house::House, mail::Job};

/// Mails taken up at once.
const BATCH: u16 = 200;

/// Takes mails up until stopped.
pub(crate) async fn take_up(house: Arc<House>, stop: Stop) {
    let every = house.settings.mail.poll;
    loop {
        let turned = tokio::select! {
            turned = turn(&house) => turned,
            () = stop.stopping() => return,
        };
        if let Err(error) = turned {
            tracing::warn!(%error, "mails that wait could not be taken up");
        }
        tokio::select! {
            () = house.mail_queued.notified() => {}
            () = tokio::time::sleep(every) => {}
            () = stop.stopping() => return,
        }
    }
}

/// Hears of mails that other applications queue, until stopped.
pub(crate) async fn hear(house: Arc<House>, stop: Stop) {
    let mut backoff = Backoff::default();
    loop {
        let listening = house.store.listen(MAIL_CHANNEL, || house.mail_queued.notify_one());
        let ended = tokio::select! {
            ended = listening => ended,
            () = stop.stopping() => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "the database tells of no mails now; they are looked for");
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = stop.stopping() => return,
        }
    }
}

async fn turn(house: &House) -> Result<(), StoreError> {
    let (limit, pause) = pace(house.settings.mail.per_minute);
    loop {
        let pending = house.store.pending_mails(i64::from(limit)).await?;
        let count = pending.len();
        if count == 0 {
            return Ok(());
        }
        take(house, pending).await?;
        if let Some(each) = pause {
            tokio::time::sleep(each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))).await;
        } else if count < usize::from(limit) {
            return Ok(());
        }
    }
}

/// How many at once, and how long each then keeps the next waiting: with a rate, a second's worth, so that the flow is
/// even.
fn pace(per_minute: Option<u16>) -> (u16, Option<Duration>) {
    match per_minute {
        None => (BATCH, None),
        Some(rate) => ((rate / 60).clamp(1, BATCH), Some(Duration::from_secs(60) / u32::from(rate.max(1)))),
    }
}

async fn take(house: &House, pending: Vec<PendingMail>) -> Result<(), StoreError> {
    let events: Vec<NewEvent> = pending.iter().map(|mail| event(house, mail)).collect();
    let window = SignedDuration::try_from(house.settings.retention.keys).unwrap_or(SignedDuration::MAX);
    let recorded = Recorder::new(house.store.clone(), window).write(&events).await?;
    let id_of = |(event, recorded): (&NewEvent, &Recorded)| match recorded {
        Recorded::New => event.event.id,
        Recorded::Duplicate(first) | Recorded::Conflict(first) => *first,
    };
    let ids = events.iter().zip(&recorded).map(id_of);
    let taken: Vec<_> = pending.iter().map(|mail| mail.id).zip(ids).collect();
    house.store.take_up_mails(&taken).await?;
    let new = events.into_iter().zip(&recorded).filter(|(_, recorded)| **recorded == Recorded::New);
    let published: Vec<NewEvent> = new.map(|(event, _)| event).filter(|event| event.due_at.is_some()).collect();
    let ids: Vec<_> = published.iter().map(|event| (event.event.id, Attempt::FIRST)).collect();
    let batch = published.into_iter().map(|event| (message(event), Route::Main)).collect();
    let verdicts = house.queue.publish(batch).await;
    house.store.mark_unpublished(&Published::unconfirmed(&ids, &verdicts)).await
}

fn event(house: &House, mail: &PendingMail) -> NewEvent {
    let now = house.clock.now();
    let id = EventId::new(now);
    let body = Job { mail: mail.id }.to_bytes();
    let grace = SignedDuration::try_from(house.settings.sweep.grace).unwrap_or(SignedDuration::MAX);
    NewEvent {
        keys: Keys { key: Some(mail.id.to_string()), ..Keys::default() },
        body_sha256: NewEvent::hash(&body),
        headers: "{}".into(),
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        shard: house.settings.broker.shards.pick(MAIL, id),
        due_at: match &house.queue {
            Queue::Store(_) => Some(now),
            // Without a broker that takes it, the sweeper publishes it when there is one.
            Queue::Broker(_) => house.queue.state().is_up().then_some(now + grace),
        },
        event: Event {
            id,
            source: MAIL.into(),
            preset: MAIL.into(),
            tenant: "".into(),
            kind: mail.template.as_str().into(),
            subject: address(&mail.recipient).map(Into::into),
            occurred_at: None,
            received_at: now,
            body,
        },
    }
}

fn message(event: NewEvent) -> Message {
    Message {
        shard: event.shard,
        traceparent: None,
        event: event.event,
        body_in_store: false,
        attempt: Attempt::FIRST,
        climbed: 0,
        reply_to: None,
        unrecorded: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_in_even_steps() {
        assert_eq!(pace(None), (BATCH, None));
        assert_eq!(pace(Some(30)), (1, Some(Duration::from_secs(2))));
        assert_eq!(pace(Some(600)), (10, Some(Duration::from_millis(100))));
        assert_eq!(pace(Some(u16::MAX)).0, BATCH);
    }
}
