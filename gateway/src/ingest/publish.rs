//! *Publish*: wakes a worker. Off the sender's path, and no refusal can come of it: the row is the promise.

use lychgate_common::{event::EventId, message::Message, outcome::Waiter, queue::Queue, store::NewEvent};

use super::{Arrival, Fate, Recorded};
use crate::{answer::Wait, house::House};

/// Events whose workers have been woken.
#[derive(Debug)]
pub(crate) struct Published<'a> {
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) subject: Option<std::sync::Arc<str>>,
    /// The events, in the order of the request, and whether each is new.
    pub(crate) ids: Vec<(EventId, bool)>,
    /// The one whose outcome is waited for, if the answer depends on it.
    pub(crate) waiting: Option<(Wait, Waiter)>,
}

/// Hands the new events to the publisher, beginning to wait first where the sender waits.
pub(crate) fn publish<'a>(house: &House, recorded: Recorded<'a>) -> Published<'a> {
    let (arrival, subject) = (recorded.arrival, recorded.subject.clone());
    let fates = recorded.into_fates();
    let wait = match fates.as_slice() {
        [Fate::Known(_)] => Wait::again(house, arrival),
        [Fate::New(..) | Fate::Entrusted(_)] => Wait::of(house, arrival),
        _ => None,
    };
    let ids: Vec<(EventId, bool)> = fates
        .iter()
        .map(|fate| match fate {
            Fate::New(event, _) => (event.event.id, true),
            Fate::Entrusted(id) => (*id, true),
            Fate::Known(id) => (*id, false),
        })
        .collect();
    let waiting = wait.zip(ids.first()).map(|(wait, (id, _))| (wait, house.outcomes.wait_for(*id)));
    for fate in fates {
        let Fate::New(event, place) = fate else { continue };
        house.metrics.accepted(&event.event.source, &event.event.kind);
        match place {
            Some((place, route)) => place.publish(message(house, *event, waiting.is_some()), route),
            None => {
                if let Queue::Store(queue) = &house.queue {
                    queue.wake();
                }
            }
        }
    }
    Published { arrival, subject, ids, waiting }
}

fn message(house: &House, event: NewEvent, waits: bool) -> Message {
    let reply_to = match &house.queue {
        Queue::Broker(broker) if waits => Some(broker.reply_queue()),
        Queue::Broker(_) | Queue::Store(_) => None,
    };
    Message { reply_to, ..event.first_message() }.slimmed()
}
