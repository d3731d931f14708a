//! Tells RabbitMQ what is done: one task for each channel, with `multiple` as far as everything below is done too.
//!
//! A receipt belongs to the channel that delivered it: delivery tags start again at 1 on the next one, so a receipt
//! that outlives its channel is silently void and its message is delivered again.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{BrokerError, liveness::Pulse};

/// What became of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// Settled: forget it.
    Done(u64),
    /// Nobody settled it: give it back, after a pause.
    Undone(u64),
    /// Nobody can read it: to the dead queue.
    Unreadable(u64),
}

/// A delivery's right to be acknowledged.
#[derive(Debug)]
pub struct Receipt {
    tag: u64,
    verdicts: Option<mpsc::UnboundedSender<Verdict>>,
}

impl Receipt {
    pub(super) fn new(tag: u64, verdicts: &mpsc::UnboundedSender<Verdict>) -> Self {
        Self { tag, verdicts: Some(verdicts.clone()) }
    }

    pub(in crate::queue) fn done(mut self) {
        self.say(Verdict::Done(self.tag));
    }

    pub(super) fn unreadable(mut self) {
        self.say(Verdict::Unreadable(self.tag));
    }

    fn say(&mut self, verdict: Verdict) {
        if let Some(verdicts) = self.verdicts.take() {
            // The channel may be gone: then the message is delivered again, and the attempt's number sorts it out.
            let _ = verdicts.send(verdict);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.say(Verdict::Undone(self.tag));
    }
}

/// Runs until every receipt of the channel is used or dropped and no new one can come.
pub(super) async fn acknowledge(
    channel: &Channel,
    mut verdicts: mpsc::UnboundedReceiver<Verdict>,
    return_pause: Duration,
    pulse: &Pulse,
) -> Result<(), BrokerError> {
    let mut tags = Tags::default();
    let mut undone: VecDeque<(Instant, u64)> = VecDeque::new();
    loop {
        let due = undone.front().map(|(at, _)| *at);
        tokio::select! {
            verdict = verdicts.recv() => {
                let Some(verdict) = verdict else { return Ok(()) };
                let mut next = Some(verdict);
                // A settled batch drops many receipts at once: take them all before anything is sent.
                while let Some(verdict) = next {
                    match verdict {
                        Verdict::Done(tag) => {
                            tags.done(tag);
                            pulse.settled(1);
                        }
                        Verdict::Undone(tag) => undone.push_back((Instant::now() + return_pause, tag)),
                        Verdict::Unreadable(tag) => {
                            channel.basic_reject(tag, BasicRejectOptions { requeue: false }).await?;
                            tags.told(tag);
                            pulse.settled(1);
                        }
                    }
                    next = verdicts.try_recv().ok();
                }
            }
            () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                if let Some((_, tag)) = undone.pop_front() {
                    let back = BasicNackOptions { multiple: false, requeue: true };
                    channel.basic_nack(tag, back).await?;
                    tags.told(tag);
                    pulse.settled(1);
                }
            }
        }
        let (below, single) = tags.settle();
        if let Some(tag) = below {
            channel.basic_ack(tag, BasicAckOptions { multiple: true }).await?;
        }
        for tag in single {
            channel.basic_ack(tag, BasicAckOptions { multiple: false }).await?;
        }
    }
}

/// Which of a channel's tags, counted from 1 without gaps, are done, and which of those the broker has been told of.
#[derive(Debug)]
struct Tags {
    /// The lowest tag that is neither done nor told.
    low: u64,
    done: BTreeSet<u64>,
    told: BTreeSet<u64>,
}

impl Default for Tags {
    fn default() -> Self {
        Self { low: 1, done: BTreeSet::new(), told: BTreeSet::new() }
    }
}

impl Tags {
    fn done(&mut self, tag: u64) {
        self.done.insert(tag);
    }

    fn told(&mut self, tag: u64) {
        self.told.insert(tag);
    }

    /// What to acknowledge now: everything up to a tag, and single ones above it. A slow one at the bottom must not
    /// hold back the others' acknowledgements, or it would use up the prefetch and starve the worker.
    fn settle(&mut self) -> (Option<u64>, BTreeSet<u64>) {
        let mut below = None;
        loop {
            if self.done.remove(&self.low) {
                below = Some(self.low);
            } else if !self.told.remove(&self.low) {
                break;
            }
            self.low += 1;
        }
        let single = std::mem::take(&mut self.done);
        self.told.extend(&single);
        (below, single)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slow_one_holds_nobody_back() {
        let mut tags = Tags::default();
        (2..=4).for_each(|tag| tags.done(tag));
        assert_eq!(tags.settle(), (None, [2, 3, 4].into()));
        tags.done(1);
        tags.done(5);
        assert_eq!(tags.settle(), (Some(5), BTreeSet::new()));
    }

    proptest! {
        #[test]
        fn every_tag_is_acknowledged_exactly_once_in_whatever_order_they_are_done(
            order in Just((1..=40u64).collect::<Vec<_>>()).prop_shuffle(),
            rhythm in prop::collection::vec(1usize..6, 40),
        ) {
            let (mut tags, mut acked, mut order) = (Tags::default(), BTreeSet::new(), order.into_iter());
            let mut done = BTreeSet::new();
            for step in rhythm {
                for tag in order.by_ref().take(step) {
                    done.insert(tag);
                    tags.done(tag);
                }
                let (below, single) = tags.settle();
                if let Some(below) = below {
                    prop_assert!((1..=below).all(|tag| done.contains(&tag)), "acknowledged what is not done");
                    acked.extend(1..=below);
                }
                for tag in single {
                    prop_assert!(acked.insert(tag), "{tag} twice");
                }
                prop_assert_eq!(&acked, &done);
            }
        }
    }
}
