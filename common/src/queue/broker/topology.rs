//! The topology as data: every exchange, queue, binding and argument, and nothing that talks to a broker.
//!
//! ```text
//! ingest --sNN--> main.sNN --(rejected, delivered too often)--> dead --> dlq
//! ingest --aside.sNN--> aside.sNN --(the same)--> dead --> dlq
//! retry --15s.sNN--> retry.15s --(its TTL)--> return --*.sNN--> main.sNN, or orphan --> orphan.q
//! ```
//! Arguments cannot be changed once a queue exists: a change of any of them needs a new version in the prefix.

use std::{fmt, time::Duration};

use crate::queue::{RetrySchedule, Route, Shard, Shards};

/// Deliveries after which a message goes to the dead queue unasked. Said aloud, because RabbitMQ before 4.0 has no
/// limit and from 4.0 on has this one.
const DELIVERY_LIMIT: i64 = 20;

/// Messages that one delay level holds before it refuses more: bounded memory; what is refused waits in the store.
const LEVEL_LIMIT: i64 = 1_000_000;

/// The kinds of exchange that we use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExchangeKind {
    /// Routes by the equal key.
    Direct,
    /// Routes by a pattern.
    Topic,
    /// Routes to everything bound.
    Fanout,
}

/// An exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Its full name.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Where it sends what it cannot route.
    pub alternate: Option<String>,
}

/// A queue's argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Argument {
    /// A name or a word.
    Text(String),
    /// A count, or milliseconds.
    Number(i64),
}

/// A durable quorum queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queue {
    /// Its full name.
    pub name: String,
    /// The `x-…` arguments, `x-queue-type` included.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// A queue's binding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Whence.
    pub exchange: String,
    /// The routing key or pattern.
    pub key: String,
    /// Whither.
    pub queue: String,
}

/// Everything that must exist, in an order in which it can be declared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    prefix: String,
    schedule: RetrySchedule,
    /// All exchanges.
    pub exchanges: Vec<Exchange>,
    /// All queues.
    pub queues: Vec<Queue>,
    /// All bindings.
    pub bindings: Vec<Binding>,
}

impl Topology {
    /// The topology under `prefix`.
    pub fn new(prefix: &str, shards: Shards, schedule: &RetrySchedule) -> Self {
        let name = |what: &str| format!("{prefix}.{what}");
        let exchange = |what: &str, kind, alternate| Exchange { name: name(what), kind, alternate };
        let mut topology = Self {
            prefix: prefix.to_owned(),
            schedule: schedule.clone(),
            exchanges: vec![
                exchange("dead", ExchangeKind::Fanout, None),
                exchange("orphan", ExchangeKind::Fanout, None),
                // No alternate: a mandatory publish must come back when a shard's queue is missing.
                exchange("ingest", ExchangeKind::Direct, None),
                exchange("retry", ExchangeKind::Topic, None),
                // With one: else a level that returns to a missing queue is stuck for three minutes at a time.
                exchange("return", ExchangeKind::Topic, Some(name("orphan"))),
            ],
            queues: vec![quorum(name("dlq"), vec![]), quorum(name("orphan.q"), vec![])],
            bindings: vec![],
        };
        topology.bind("dead", "", name("dlq"));
        topology.bind("orphan", "", name("orphan.q"));
        for shard in shards.all() {
            let (main, aside) = (topology.main(shard), topology.aside(shard));
            topology.bind("ingest", &shard.to_string(), main.clone());
            topology.bind("return", &format!("*.{shard}"), main.clone());
            topology.bind("ingest", &format!("aside.{shard}"), aside.clone());
            for queue in [main, aside] {
                let mut arguments = dead_lettered(name("dead"));
                arguments.push(("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)));
                topology.queues.push(quorum(queue, arguments));
            }
        }
        for (_, delay) in schedule.levels() {
            let level = RetrySchedule::name(delay);
            let queue = name(&format!("retry.{level}"));
            topology.bind("retry", &format!("{level}.*"), queue.clone());
            // No dead-letter routing key: the message keeps its own, which names its shard.
            let mut arguments = dead_lettered(name("return"));
            arguments.push(("x-message-ttl", Argument::Number(millis(delay))));
            arguments.push(("x-max-length", Argument::Number(LEVEL_LIMIT)));
            topology.queues.push(quorum(queue, arguments));
        }
        topology
    }

    fn bind(&mut self, exchange: &str, key: &str, queue: String) {
        let exchange = format!("{}.{exchange}", self.prefix);
        self.bindings.push(Binding { exchange, key: key.to_owned(), queue });
    }

    /// A shard's main queue.
    pub fn main(&self, shard: Shard) -> String {
        format!("{}.main.{shard}", self.prefix)
    }

    /// A shard's side queue.
    pub fn aside(&self, shard: Shard) -> String {
        format!("{}.aside.{shard}", self.prefix)
    }

    /// The queue of what was rejected or delivered too often.
    pub fn dead(&self) -> String {
        format!("{}.dlq", self.prefix)
    }

    /// The queue of what came back from a delay to a shard that is not there.
    pub fn orphan(&self) -> String {
        format!("{}.orphan.q", self.prefix)
    }

    /// Exchange and routing key for a message; `None` for a level that the schedule does not have.
    pub fn address(&self, route: Route, shard: Shard) -> Option<(String, String)> {
        match route {
            Route::Main => Some((format!("{}.ingest", self.prefix), shard.to_string())),
            Route::Aside => Some((format!("{}.ingest", self.prefix), format!("aside.{shard}"))),
            Route::Level(level) => {
                let level = RetrySchedule::name(self.schedule.delay(level)?);
                Some((format!("{}.retry", self.prefix), format!("{level}.{shard}")))
            }
        }
    }
}

/// What `lychgate topology plan` prints: one line for everything that would be declared.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Exchange { name, kind, alternate } in &self.exchanges {
            let kind = kind.name();
            match alternate {
                Some(alternate) => writeln!(f, "exchange  {name}  {kind}  alternate-exchange={alternate}")?,
                None => writeln!(f, "exchange  {name}  {kind}")?,
            }
        }
        for Queue { name, arguments } in &self.queues {
            write!(f, "queue     {name} ")?;
            for (key, value) in arguments {
                match value {
                    Argument::Text(text) => write!(f, " {key}={text}")?,
                    Argument::Number(number) => write!(f, " {key}={number}")?,
                }
            }
            writeln!(f)?;
        }
        for Binding { exchange, key, queue } in &self.bindings {
            writeln!(f, "binding   {exchange}  {key:?} -> {queue}")?;
        }
        Ok(())
    }
}

impl ExchangeKind {
    /// AMQP's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Topic => "topic",
            Self::Fanout => "fanout",
        }
    }
}

fn quorum(name: String, mut arguments: Vec<(&'static str, Argument)>) -> Queue {
    arguments.insert(0, ("x-queue-type", Argument::Text("quorum".to_owned())));
    Queue { name, arguments }
}

/// At least once, which RabbitMQ only grants together with `reject-publish`: the default strategy loses messages when
/// their target is away.
fn dead_lettered(exchange: String) -> Vec<(&'static str, Argument)> {
    vec![
        ("x-dead-letter-exchange", Argument::Text(exchange)),
        ("x-dead-letter-strategy", Argument::Text("at-least-once".to_owned())),
        ("x-overflow", Argument::Text("reject-publish".to_owned())),
    ]
}

fn millis(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
