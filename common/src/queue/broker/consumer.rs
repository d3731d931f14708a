//! The session of a consuming connection: a channel, a consumer and an acker for each queue, one stream out of all.
//!
//! The end of a consumer's stream is a failure (its queue was deleted, its connection is gone) unless we cancelled it
//! ourselves. Never publishes, so that an alarm of the broker does not stop acknowledgements.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Consumer,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    BrokerError,
    acker::{Receipt, Verdict, acknowledge},
    connection::{Session, State, close},
    declare::{self, short},
    depth::depths,
    liveness::{Look, Pulse},
    settings::BrokerSettings,
    topology::Topology,
};

/// How often the queues are compared with what comes from them.
const LOOK: Duration = Duration::from_secs(5);

/// Where deliveries go.
pub(super) trait Sink: Clone + Send + Sync + 'static {
    /// What the sink needs to know about a queue.
    type Queue: Clone + Send + Sync + 'static;

    /// Hands one over; `false` once nobody takes any more.
    fn take(
        &self,
        queue: &Self::Queue,
        delivery: lapin::message::Delivery,
        receipt: Receipt,
    ) -> impl Future<Output = bool> + Send;
}

/// A queue to consume.
#[derive(Clone, Debug)]
pub(super) struct Tap<Q> {
    pub(super) name: String,
    pub(super) queue: Q,
    /// Messages of it that may be unsettled.
    pub(super) prefetch: u16,
}

pub(super) struct Consuming<S: Sink> {
    pub(super) settings: BrokerSettings,
    pub(super) topology: Arc<Topology>,
    pub(super) taps: Vec<Tap<S::Queue>>,
    /// Let go of when stopped, so that the stream ends once the last consumer has handed over what it had.
    pub(super) sink: Option<S>,
    pub(super) stop: CancellationToken,
}

impl<S: Sink> Session for Consuming<S> {
    const PURPOSE: &'static str = "consume";

    async fn run(&mut self, connection: Arc<Connection>, state: &State) -> Result<(), BrokerError> {
        let Some(sink) = self.sink.clone() else { return Ok(()) };
        // Whoever comes first declares. What is there with other arguments can still be drained: publishing complains.
        declare::apply(&connection, &self.topology, self.settings.connect_deadline).await?;
        let mut pumps = JoinSet::new();
        let mut pulses = Vec::new();
        for tap in &self.taps {
            let opening = open(&connection, &tap.name, tap.prefetch);
            let (channel, consumer) = timeout(self.settings.connect_deadline, opening)
                .await
                .map_err(|_| BrokerError::Deadline("starting to consume", self.settings.connect_deadline))??;
            let pulse = Pulse::default();
            pulses.push((tap.name.clone(), tap.prefetch, pulse.clone(), Look::default()));
            let (tap, sink, stop) = (tap.clone(), sink.clone(), self.stop.clone());
            let pump = Pump { channel, consumer, tap, sink, stop, pulse };
            pumps.spawn(pump.run(self.settings.return_pause, self.settings.drain_deadline));
        }
        drop(sink);
        state.up();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled(), if self.sink.is_some() => self.sink = None,
                _ = look.tick(), if self.sink.is_some() => self.listen_to(&connection, &mut pulses).await?,
                pump = pumps.join_next() => match pump {
                    Some(Ok(done)) => done?,
                    Some(Err(_)) => return Err(BrokerError::Lost),
                    None => break,
                }
            }
        }
        self.sink = None;
        close(&connection).await;
        Ok(())
    }
}

impl<S: Sink> Consuming<S> {
    /// An error where a consumer has gone deaf.
    async fn listen_to(
        &self,
        connection: &Connection,
        pulses: &mut [(String, u16, Pulse, Look)],
    ) -> Result<(), BrokerError> {
        let names = pulses.iter().map(|(name, ..)| name.clone());
        let depths = depths(connection, names, self.settings.connect_deadline).await?;
        for (name, prefetch, pulse, last) in pulses {
            // A queue that is missing has nothing ready; its consumer's stream has ended or will.
            let ready = depths.iter().find(|depth| depth.queue == *name).map_or(0, |depth| depth.ready);
            if pulse.is_deaf(ready, *prefetch, last) {
                return Err(BrokerError::Ended(name.clone()));
            }
        }
        Ok(())
    }
}

async fn open(connection: &Connection, queue: &str, prefetch: u16) -> Result<(Channel, Consumer), BrokerError> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(prefetch.max(1), BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(short(queue)?, "".into(), options, FieldTable::default()).await?;
    Ok((channel, consumer))
}

struct Pump<S: Sink> {
    channel: Channel,
    consumer: Consumer,
    tap: Tap<S::Queue>,
    sink: S,
    stop: CancellationToken,
    pulse: Pulse,
}

impl<S: Sink> Pump<S> {
    async fn run(self, return_pause: Duration, drain_deadline: Duration) -> Result<(), BrokerError> {
        let (channel, pulse) = (self.channel.clone(), self.pulse.clone());
        let (verdicts, spoken) = mpsc::unbounded_channel();
        let mut acker = pin!(acknowledge(&channel, spoken, return_pause, &pulse));
        {
            let forward = pin!(self.forward(verdicts));
            tokio::select! {
                forwarded = forward => forwarded?,
                acked = &mut acker => return acked.and(Err(BrokerError::Lost)),
            }
        }
        // Whatever is not done by then is delivered again, to another worker or to us after the restart.
        if let Ok(acked) = timeout(drain_deadline, acker).await {
            acked?;
        }
        // Frames of one channel keep their order, so the acknowledgements arrive before the goodbye.
        let _ = timeout(Duration::from_secs(1), channel.close(200, "OK".into())).await;
        Ok(())
    }

    /// Hands deliveries over until stopped; then what had been taken already, unless nobody wants it any more.
    async fn forward(self, verdicts: mpsc::UnboundedSender<Verdict>) -> Result<(), BrokerError> {
        let Self { channel, mut consumer, tap, sink, stop, pulse } = self;
        let mut cancelled = false;
        loop {
            pulse.listens(true);
            let next = tokio::select! {
                () = stop.cancelled(), if !cancelled => {
                    cancelled = true;
                    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
                    continue;
                }
                next = consumer.next() => next,
            };
            match next {
                Some(Ok(delivery)) => {
                    pulse.listens(false);
                    pulse.took();
                    let receipt = Receipt::new(delivery.delivery_tag, &verdicts);
                    if !sink.take(&tap.queue, delivery, receipt).await {
                        return Ok(());
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                None if cancelled => return Ok(()),
                None => return Err(BrokerError::Ended(tap.name)),
            }
        }
    }
}
