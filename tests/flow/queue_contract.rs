//! The queue's contract: what holds whichever kind stands behind the seam.

mod both;
mod rabbitmq;
mod trouble;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use lychgate_common::{
    clock::Clock,
    event::{Attempt, Event, EventId},
    message::Message,
    queue::{
        Deliveries, Delivery, Intake, Published, Queue, RetrySchedule, Route, Shard, Shards,
        broker::{Broker as RabbitMq, BrokerSettings},
        in_store::StoreQueue,
    },
    secret::Secret,
    store::{Keys, NewEvent, Recorder, Store, StoreSettings, Write},
};
use lychgate_tests::{Broker, Database, eventually, fact::PATIENCE, stage::QueueKind};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

/// The one delay level of these tests.
const LEVEL: Duration = Duration::from_millis(300);

/// A queue of either kind, and what is needed to look behind it.
struct Stand {
    queue: Queue,
    server: Server,
    stop: CancellationToken,
}

enum Server {
    Store(Database, Store),
    Broker(Broker),
}

/// Settings that make a test quick.
fn settings(url: &str, shards: u16) -> BrokerSettings {
    let mut settings = BrokerSettings::new(Secret::from(url));
    settings.shards = Shards::new(shards).unwrap();
    settings.schedule = RetrySchedule::new(vec![LEVEL]).unwrap();
    settings.return_pause = Duration::from_millis(50);
    settings
}

impl Stand {
    async fn set(kind: QueueKind) -> Self {
        let stop = CancellationToken::new();
        match kind {
            QueueKind::Store => {
                let database = Database::fresh().await;
                let url = Secret::from(database.url());
                let store = Store::open(&StoreSettings::new(url), Clock::system()).unwrap();
                let queue = Queue::Store(StoreQueue::open(store.clone(), Arc::new(Notify::new())));
                Self { queue, server: Server::Store(database, store), stop }
            }
            QueueKind::Broker => {
                let server = Broker::fresh().await;
                let broker = up(settings(&server.url(), 1), &stop).await;
                Self { queue: Queue::Broker(broker), server: Server::Broker(server), stop }
            }
        }
    }

    /// Makes `count` events due, as the gateway does.
    async fn put(&self, count: usize) -> BTreeSet<EventId> {
        let messages: Vec<_> = (0..count).map(|_| message(0)).collect();
        if let Server::Store(_, store) = &self.server {
            let rows: Vec<_> = messages.iter().map(row).collect();
            let recorder = Recorder::new(store.clone(), jiff::SignedDuration::from_hours(24));
            recorder.write(&rows).await.unwrap();
        }
        let ids = messages.iter().map(Message::id).collect();
        let batch = messages.into_iter().map(|message| (message, Route::Main)).collect();
        assert_eq!(self.queue.publish(batch).await, vec![Published::Confirmed; count]);
        ids
    }

    fn consume(&self, prefetch: u16, stop: &CancellationToken) -> Deliveries {
        self.queue.consume(Intake { prefetch, lease: Duration::from_secs(2) }, stop.clone())
    }

    /// Settles, as the worker does: first the row, then the receipt.
    async fn finish(&self, delivery: Delivery) {
        if let Server::Store(database, _) = &self.server {
            let finish =
                "update event_state set status = 'succeeded', finished_at = now(), leased = false where id = $1";
            database.connect().await.execute(finish, &[&delivery.message.id().uuid()]).await.unwrap();
        }
        delivery.receipt.done();
    }

    /// Messages that are with a consumer, and messages that wait for one.
    async fn out_and_waiting(&self) -> (i64, i64) {
        match &self.server {
            Server::Store(database, _) => (
                database.count("select count(*) from event_state where finished_at is null and leased").await,
                database.count("select count(*) from event_state where finished_at is null and not leased").await,
            ),
            Server::Broker(server) => {
                let columns = &["messages_unacknowledged", "messages_ready"];
                let listed = server.control("list_queues", columns).await;
                listed.lines().filter_map(|line| line.split_once('\t')).fold((0, 0), |(out, waiting), (one, other)| {
                    (out + one.parse().unwrap_or(0), waiting + other.parse().unwrap_or(0))
                })
            }
        }
    }

    async fn becomes(&self, out: i64, waiting: i64) {
        eventually(&format!("{out} messages are out and {waiting} wait"), async || {
            let seen = self.out_and_waiting().await;
            if seen == (out, waiting) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A broker handle that has connected.
async fn up(settings: BrokerSettings, stop: &CancellationToken) -> RabbitMq {
    let broker = RabbitMq::open(settings, &Clock::system(), stop.clone()).unwrap();
    becomes_up(&broker).await;
    broker
}

async fn becomes_up(broker: &RabbitMq) {
    eventually("the broker is up", async || {
        let state = broker.state();
        if state.is_up() { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
}

fn message(shard: i16) -> Message {
    let now = Clock::system().now();
    Message {
        event: Event {
            id: EventId::new(now),
            source: "platform".into(),
            preset: "platform".into(),
            tenant: "".into(),
            kind: "user.created".into(),
            subject: None,
            occurred_at: None,
            received_at: now,
            body: Bytes::from_static(b"{}"),
        },
        body_in_store: false,
        attempt: Attempt::FIRST,
        climbed: 0,
        shard: Shard::new(shard).unwrap(),
        traceparent: None,
        reply_to: None,
        unrecorded: None,
    }
}

fn row(message: &Message) -> NewEvent {
    NewEvent {
        event: message.event.clone(),
        keys: Keys::default(),
        body_sha256: NewEvent::hash(&message.event.body),
        headers: "{}".into(),
        content_type: None,
        traceparent: None,
        shard: message.shard,
        due_at: None,
    }
}

/// The next delivery; fails loudly instead of hanging.
async fn next(deliveries: &mut Deliveries) -> Delivery {
    timeout(PATIENCE, deliveries.next()).await.expect("nothing was delivered in time").expect("the stream ended")
}
