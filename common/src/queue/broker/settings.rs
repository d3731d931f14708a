//! How to reach RabbitMQ and how patient to be with it. Every number has a default and its reason.
//!
//! The URL holds a password: it is a secret here, and nothing in this room ever prints it.

use std::{sync::Arc, time::Duration};

use lapin::uri::AMQPUri;

use super::BrokerError;
use crate::{
    queue::{RetrySchedule, Shards},
    secret::Secret,
};

/// What a [`super::Broker`] needs to know.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// `amqp://` or `amqps://user:password@host:port/vhost`.
    pub url: Secret,
    /// What every exchange's and queue's name starts with: `lychgate.v1`. It ends in the topology's version, because a
    /// queue's arguments cannot be changed, only its name.
    pub prefix: Arc<str>,
    /// How many main queues there are.
    pub shards: Shards,
    /// The delay levels, one queue each.
    pub schedule: RetrySchedule,
    /// Channels that publish side by side. Two keep one busy while the other's batch is being confirmed; more than
    /// four gained nothing when measured.
    pub channels: u8,
    /// How long a batch may wait for its confirms. A healthy broker takes milliseconds; after this the outcome is
    /// unknown and the connection is given up, because a dropped future does not take its message back.
    pub publish_deadline: Duration,
    /// How long connecting, or one declaration, may take.
    pub connect_deadline: Duration,
    /// The AMQP heartbeat: a silent broker is noticed after twice this.
    pub heartbeat: Duration,
    /// How long receipts may be outstanding after a consumer was stopped before its channel is closed over them.
    /// Longer than a handler's deadline would be pointless: the process is stopping.
    pub drain_deadline: Duration,
    /// How long a receipt that was dropped undone is held before the message is given back. Without the pause, a
    /// worker that cannot do its work would use up the queue's delivery limit within a second.
    pub return_pause: Duration,
}

impl BrokerSettings {
    /// The defaults, for this URL.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            prefix: Arc::from("lychgate.v1"),
            shards: Shards::ONE,
            schedule: RetrySchedule::default(),
            channels: 2,
            publish_deadline: Duration::from_secs(2),
            connect_deadline: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(30),
            return_pause: Duration::from_secs(10),
        }
    }

    /// Checks the names and reads the URL, filling in heartbeat and time-out where it has none.
    pub(super) fn uri(&self) -> Result<AMQPUri, BrokerError> {
        if self.prefix.is_empty() || self.prefix.starts_with("amq.") || self.prefix.len() > 100 {
            return Err(BrokerError::Settings(
                "`broker.prefix` must have 1 to 100 characters and not start with `amq.`, which RabbitMQ keeps for itself"
                    .to_owned(),
            ));
        }
        let mut uri =
            read(&self.url).ok_or_else(|| BrokerError::Settings(format!("`broker.url` {UNREADABLE_BROKER_URL}")))?;
        let heartbeat = u16::try_from(self.heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
        uri.query.heartbeat.get_or_insert(heartbeat);
        let deadline = u64::try_from(self.connect_deadline.as_millis()).unwrap_or(u64::MAX);
        uri.query.connection_timeout.get_or_insert(deadline);
        Ok(uri)
    }
}

/// What is wrong with a broker's URL that cannot be read. Nothing of it is repeated: it holds a password.
pub const UNREADABLE_BROKER_URL: &str = "cannot be read: it must look like amqp://user:password@host:5672/vhost";

/// Whether a broker could be reached by this URL.
pub fn is_broker_url(url: &Secret) -> bool {
    read(url).is_some()
}

fn read(url: &Secret) -> Option<AMQPUri> {
    let url = url.expose_str()?;
    // The parser takes `amqp:/x` and `amqp://` for this machine, which is nobody's wish.
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next())?;
    if authority.rsplit('@').next()?.is_empty() { None } else { url.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_being_printed() {
        for bad in ["hunter2 is no url", "amqp:/hunter2", "amqp://", "amqp:///hunter2", "amqp://a:hunter2@/x"] {
            let error = BrokerSettings::new(Secret::from(bad)).uri().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_urls_own_heartbeat_wins() {
        let uri = BrokerSettings::new(Secret::from("amqp://a:b@localhost:1/%2f?heartbeat=3")).uri().unwrap();
        assert_eq!(uri.query.heartbeat, Some(3));
        let uri = BrokerSettings::new(Secret::from("amqp://a:b@localhost:1/%2f")).uri().unwrap();
        assert_eq!(uri.query.heartbeat, Some(10));
    }
}
