//! The only place that publishes: mandatory, persistent, confirmed, in closed batches over several channels.
//!
//! A single confirm is no proof: lapin hands a returned message to whichever confirm comes next, so that an unroutable
//! publish can look acknowledged. What was returned is therefore matched by `message_id`, and only once nothing of the
//! batch is in flight any more. `wait_for_confirms` is never used: it reports success after negative ones.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm, options::BasicPublishOptions, types::ShortString,
};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, timeout_at},
};

use super::{
    BrokerError, codec,
    declare::short,
    door::{BATCH, Door, Job, Reply},
    topology::Topology,
};
use crate::{
    message::Message,
    queue::{Published, Route},
};

/// Takes jobs from the queue that all lanes share, one closed batch at a time.
pub(super) async fn lane(
    channel: Channel,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    topology: Arc<Topology>,
    door: Arc<Door>,
) -> Result<(), BrokerError> {
    loop {
        let gathered = gather(&jobs).await;
        let Some(first) = gathered.first() else {
            return Ok(());
        };
        let until = first.until;
        let (sizes, (batch, answers)): (Vec<_>, (Vec<_>, Vec<_>)) =
            gathered.into_iter().map(|job| (job.batch.len(), (job.batch, job.answer))).unzip();
        let batch: Vec<_> = batch.into_iter().flatten().collect();
        let (outcomes, result) = send(&channel, batch, &topology, until).await;
        if outcomes.contains(&Published::Returned) {
            door.repair.notify_one();
        }
        let mut outcomes = outcomes.into_iter();
        for (size, answer) in sizes.into_iter().zip(answers) {
            // Whoever asked may have stopped waiting; the sweeper then finds the event.
            let _ = answer.send(outcomes.by_ref().take(size).collect());
        }
        result?;
    }
}

/// One job, and what else is waiting, up to a full batch. Nobody waits for a batch to fill.
async fn gather(jobs: &Mutex<mpsc::Receiver<Job>>) -> Vec<Job> {
    let mut jobs = jobs.lock().await;
    let mut gathered = Vec::new();
    let mut size = 0;
    let Some(mut job) = jobs.recv().await else {
        return gathered;
    };
    loop {
        if !job.answer.is_closed() {
            size += job.batch.len();
            gathered.push(job);
        }
        // A job has at most a batch itself, so that two half ones fit and no two whole ones do.
        if size > BATCH / 2 {
            return gathered;
        }
        job = match jobs.try_recv() {
            Ok(job) => job,
            Err(_) if gathered.is_empty() => match jobs.recv().await {
                Some(job) => job,
                None => return gathered,
            },
            Err(_) => return gathered,
        };
    }
}

/// Publishes a closed batch. After an error the channel must not be used again: something may still be in flight.
async fn send(
    channel: &Channel,
    batch: Vec<(Message, Route)>,
    topology: &Topology,
    until: Instant,
) -> (Vec<Published>, Result<(), BrokerError>) {
    let prepared: Vec<_> = batch.iter().map(|(message, route)| prepare(message, *route, topology)).collect();
    let sent: Vec<_> = prepared.iter().map(|one| one.as_ref().map(Prepared::id).map_err(|outcome| *outcome)).collect();
    let unknown = || sent.iter().map(|one| one.as_ref().err().copied().unwrap_or(Published::Unknown)).collect();
    let patience = until.saturating_duration_since(Instant::now());
    let confirmed = timeout_at(until, async {
        let sent = join_all(prepared.into_iter().flatten().map(|one| one.publish(channel))).await;
        let confirms = sent.into_iter().collect::<Result<Vec<_>, _>>()?;
        join_all(confirms).await.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let confirmations = match confirmed.await {
        Ok(Ok(confirmations)) => confirmations,
        Ok(Err(error)) => return (unknown(), Err(error.into())),
        Err(_) => return (unknown(), Err(BrokerError::Deadline("confirming a batch", patience))),
    };
    let mut returned = HashSet::new();
    let mut verdicts = Vec::with_capacity(confirmations.len());
    for confirmation in confirmations {
        let (verdict, message) = match confirmation {
            Confirmation::Ack(message) => (Published::Confirmed, message),
            Confirmation::Nack(message) => (Published::Refused, message),
            Confirmation::NotRequested => (Published::Unknown, None),
        };
        verdicts.push(verdict);
        returned.extend(message.and_then(|message| message.properties.message_id().clone()));
    }
    let mut verdicts = verdicts.into_iter();
    let outcomes = sent
        .iter()
        .map(|one| match one {
            Err(outcome) => *outcome,
            Ok(Some(id)) if returned.contains(id) => {
                verdicts.next();
                Published::Returned
            }
            Ok(_) => verdicts.next().unwrap_or(Published::Unknown),
        })
        .collect();
    (outcomes, Ok(()))
}

struct Prepared {
    exchange: ShortString,
    key: ShortString,
    properties: BasicProperties,
    payload: Bytes,
}

impl Prepared {
    fn id(&self) -> Option<ShortString> {
        self.properties.message_id().clone()
    }

    /// Consumes it: headers are costly to copy.
    async fn publish(self, channel: &Channel) -> lapin::Result<PublisherConfirm> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        channel.basic_publish(self.exchange, self.key, options, &self.payload, self.properties).await
    }
}

/// What can be said of a message before it is sent is said here, and does not endanger its batch.
fn prepare(message: &Message, route: Route, topology: &Topology) -> Result<Prepared, Published> {
    let Some((exchange, key)) = topology.address(route, message.shard) else {
        return Err(Published::Returned);
    };
    let (properties, payload) = codec::encode(message).map_err(|error| {
        tracing::error!(event = %message.id(), %error, "an event cannot be sent through RabbitMQ");
        Published::Refused
    })?;
    let (Ok(exchange), Ok(key)) = (short(&exchange), short(&key)) else {
        return Err(Published::Returned);
    };
    Ok(Prepared { exchange, key, properties, payload })
}

/// Sends outcomes to waiting gateways: unconfirmed and transient, because nobody repeats them.
pub(super) async fn answer(channel: Channel, mut replies: mpsc::Receiver<Reply>) -> Result<(), BrokerError> {
    while let Some(Reply { to, id, json }) = replies.recv().await {
        let Ok(to) = ShortString::try_new(&*to) else { continue };
        let properties = BasicProperties::default().with_message_id(id.to_string().into()); // 36 characters: fits
        channel.basic_publish("".into(), to, BasicPublishOptions::default(), &json, properties).await?.await?;
    }
    Ok(())
}
