//! What can go wrong between us and RabbitMQ. Each of these ends a connection, and a new one is built.

use std::time::Duration;

use lapin::ErrorKind;

/// A failure of a connection, or of the settings for one.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The settings cannot be used at all; trying again is pointless.
    #[error("{0}")]
    Settings(String),
    /// RabbitMQ is away, refuses us or hung up.
    #[error("RabbitMQ: {0}")]
    Amqp(#[source] lapin::Error),
    /// It did not answer in time.
    #[error("RabbitMQ did not answer within {1:?}: {0}")]
    Deadline(&'static str, Duration),
    /// Something exists under our name with other arguments.
    #[error("{0}")]
    Topology(String),
    /// A consumer's stream ended: its queue was deleted, or its connection is gone.
    #[error("the consumer of `{0}` was ended by RabbitMQ")]
    Ended(String),
    /// The connection is closed, and nobody said why.
    #[error("the connection to RabbitMQ is gone")]
    Lost,
    /// The connection was blocked by an alarm and is rebuilt so that nothing half-sent is left on it.
    #[error("the connection was blocked by an alarm of RabbitMQ and is rebuilt")]
    Blocked,
}

impl From<lapin::Error> for BrokerError {
    fn from(error: lapin::Error) -> Self {
        Self::Amqp(error)
    }
}

impl BrokerError {
    /// A declaration met something with other arguments.
    pub(super) fn is_mismatch(&self) -> bool {
        self.reply_code() == Some(406)
    }

    /// Nothing exists under the name.
    pub(super) fn is_missing(&self) -> bool {
        self.reply_code() == Some(404)
    }

    /// We may not do that.
    pub(super) fn is_forbidden(&self) -> bool {
        self.reply_code() == Some(403)
    }

    /// AMQP's own number for the error, where RabbitMQ said one.
    fn reply_code(&self) -> Option<u16> {
        match self {
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            Self::Settings(_)
            | Self::Deadline(..)
            | Self::Topology(_)
            | Self::Ended(_)
            | Self::Lost
            | Self::Blocked => None,
        }
    }
}
