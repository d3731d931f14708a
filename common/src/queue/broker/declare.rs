//! Brings the topology about, or looks whether it is there. Changes nothing that exists.
//!
//! Each declaration that fails costs its channel, so a channel is thrown away with the first error on it. What cannot
//! be asked over AMQP (whether a binding exists) is declared by [`apply`] and said to be unasked by [`verify`].

use std::{fmt, time::Duration};

use lapin::{
    Channel, Connection,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::time::timeout;

use super::{
    BrokerError,
    topology::{Argument, Binding, Exchange, ExchangeKind, Queue, Topology},
};

/// What was found out about one exchange, queue or binding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which, in words: "queue `lychgate.v1.dlq`".
    pub what: String,
    /// How it stands.
    pub outcome: Outcome,
}

/// How one object of the topology stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is there, as it should be.
    Right,
    /// It is not there.
    Missing,
    /// It is there with other arguments or of another type; the text is RabbitMQ's.
    Mismatch(String),
    /// Our user may not declare it; it is there, but its arguments could not be compared.
    Unchecked,
    /// AMQP has no question for a binding's existence.
    Unasked,
}

impl Outcome {
    /// Whether an operator has something to do.
    pub fn is_wrong(&self) -> bool {
        match self {
            Self::Missing | Self::Mismatch(_) => true,
            Self::Right | Self::Unchecked | Self::Unasked => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, outcome } = self;
        match outcome {
            Outcome::Right => write!(f, "{what}: as it should be"),
            Outcome::Missing => write!(f, "{what} is missing: `lychgate topology apply` declares it"),
            Outcome::Mismatch(why) => write!(
                f,
                "{what} exists with other arguments ({why}): let it drain and delete it, or choose another `broker.prefix`"
            ),
            Outcome::Unchecked => write!(f, "{what}: exists; this user may not compare its arguments"),
            Outcome::Unasked => {
                write!(f, "{what}: cannot be asked for over AMQP; `lychgate topology apply` declares it")
            }
        }
    }
}

/// Declares everything; leaves alone what is there already.
pub(super) async fn apply(
    connection: &Connection,
    topology: &Topology,
    deadline: Duration,
) -> Result<Vec<Finding>, BrokerError> {
    Declarer { connection, scratch: None, deadline, create: true }.all(topology).await
}

/// Looks whether everything is there with its arguments; creates nothing.
pub(super) async fn verify(
    connection: &Connection,
    topology: &Topology,
    deadline: Duration,
) -> Result<Vec<Finding>, BrokerError> {
    Declarer { connection, scratch: None, deadline, create: false }.all(topology).await
}

/// The first thing that is wrong, as an error for the state that operators see.
pub(super) fn complaint(findings: &[Finding]) -> Result<(), BrokerError> {
    let wrong: Vec<_> = findings.iter().filter(|finding| finding.outcome.is_wrong()).collect();
    match wrong.as_slice() {
        [] => Ok(()),
        [only] => Err(BrokerError::Topology(only.to_string())),
        [first, others @ ..] => {
            Err(BrokerError::Topology(format!("{first} (and {} more: see `lychgate topology verify`)", others.len())))
        }
    }
}

struct Declarer<'a> {
    connection: &'a Connection,
    scratch: Option<Channel>,
    deadline: Duration,
    create: bool,
}

impl Declarer<'_> {
    async fn all(mut self, topology: &Topology) -> Result<Vec<Finding>, BrokerError> {
        let mut findings = Vec::new();
        for exchange in &topology.exchanges {
            let what = format!("exchange `{}`", exchange.name);
            findings.push(Finding { what, outcome: self.judge(&Object::Exchange(exchange)).await? });
        }
        for queue in &topology.queues {
            let what = format!("queue `{}`", queue.name);
            findings.push(Finding { what, outcome: self.judge(&Object::Queue(queue)).await? });
        }
        for binding in &topology.bindings {
            let Binding { exchange, key, queue } = binding;
            let what = format!("binding `{exchange}` {key:?} -> `{queue}`");
            let outcome = if self.create { self.bind(binding).await? } else { Outcome::Unasked };
            findings.push(Finding { what, outcome });
        }
        Ok(findings)
    }

    /// Passively first where nothing may be created; an active declaration of what exists only compares.
    async fn judge(&mut self, object: &Object<'_>) -> Result<Outcome, BrokerError> {
        if !self.create {
            match self.declare(object, true).await {
                Ok(()) => {}
                Err(error) if error.is_missing() => return Ok(Outcome::Missing),
                Err(error) => return Err(error),
            }
        }
        match self.declare(object, false).await {
            Ok(()) => Ok(Outcome::Right),
            Err(error) if error.is_mismatch() => Ok(Outcome::Mismatch(error.to_string())),
            Err(error) if error.is_forbidden() => match self.declare(object, true).await {
                Ok(()) => Ok(Outcome::Unchecked),
                Err(error) if error.is_missing() => Ok(Outcome::Missing),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn bind(&mut self, Binding { exchange, key, queue }: &Binding) -> Result<Outcome, BrokerError> {
        let (queue, exchange, key) = (short(queue)?, short(exchange)?, short(key)?);
        let channel = self.channel().await?;
        let bound = channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default());
        match self.within(bound).await {
            Ok(()) => {
                self.scratch = Some(channel);
                Ok(Outcome::Right)
            }
            Err(error) if error.is_forbidden() => Ok(Outcome::Unchecked),
            Err(error) if error.is_missing() => Ok(Outcome::Missing),
            Err(error) => Err(error),
        }
    }

    async fn declare(&mut self, object: &Object<'_>, passive: bool) -> Result<(), BrokerError> {
        let channel = self.channel().await?;
        match object {
            Object::Exchange(Exchange { name, kind, alternate }) => {
                let mut arguments = FieldTable::default();
                if let Some(alternate) = alternate {
                    arguments.insert("alternate-exchange".into(), AMQPValue::LongString(alternate.as_str().into()));
                }
                let kind = match kind {
                    ExchangeKind::Direct => lapin::ExchangeKind::Direct,
                    ExchangeKind::Topic => lapin::ExchangeKind::Topic,
                    ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
                };
                let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
                self.within(channel.exchange_declare(short(name)?, kind, options, arguments)).await?;
            }
            Object::Queue(Queue { name, arguments }) => {
                let mut table = FieldTable::default();
                for (key, value) in arguments {
                    let value = match value {
                        Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
                        Argument::Number(number) => AMQPValue::LongLongInt(*number),
                    };
                    table.insert((*key).into(), value);
                }
                let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
                self.within(channel.queue_declare(short(name)?, options, table)).await?;
            }
        }
        self.scratch = Some(channel);
        Ok(())
    }

    /// A channel that has not failed yet; whoever succeeds on it puts it back.
    async fn channel(&mut self) -> Result<Channel, BrokerError> {
        match self.scratch.take() {
            Some(channel) => Ok(channel),
            None => self.within(self.connection.create_channel()).await,
        }
    }

    async fn within<T>(&self, work: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
        match timeout(self.deadline, work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(BrokerError::Deadline("declaring the topology", self.deadline)),
        }
    }
}

enum Object<'a> {
    Exchange(&'a Exchange),
    Queue(&'a Queue),
}

/// AMQP names have at most 255 bytes; ours are bounded by the prefix's length, so this does not fail after start-up.
pub(super) fn short(text: &str) -> Result<ShortString, BrokerError> {
    ShortString::try_new(text).map_err(|error| BrokerError::Settings(format!("the name `{text}` is too long: {error}")))
}
