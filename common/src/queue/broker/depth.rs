//! How full the queues are, asked by passive declarations on a channel that is thrown away.
//!
//! RabbitMQ counts only what is ready: what a dead-lettering queue holds back for a missing target is not in it.

use std::time::Duration;

use lapin::{Connection, options::QueueDeclareOptions, types::FieldTable};
use tokio::time::timeout;

use super::{BrokerError, declare::short};

/// One queue's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depth {
    /// The queue's full name.
    pub queue: String,
    /// Messages that wait for a consumer.
    pub ready: u32,
    /// Consumers, of all processes.
    pub consumers: u32,
}

/// Asks for each queue; one that does not exist is left out.
pub(super) async fn depths(
    connection: &Connection,
    queues: impl Iterator<Item = String>,
    deadline: Duration,
) -> Result<Vec<Depth>, BrokerError> {
    let asking = async {
        let mut channel = connection.create_channel().await?;
        let mut found = Vec::new();
        for queue in queues {
            let passive = QueueDeclareOptions::default().passive();
            match channel.queue_declare(short(&queue)?, passive, FieldTable::default()).await.map_err(BrokerError::from)
            {
                Ok(answer) => {
                    found.push(Depth { queue, ready: answer.message_count(), consumers: answer.consumer_count() });
                }
                Err(error) if error.is_missing() => channel = connection.create_channel().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    };
    timeout(deadline, asking).await.map_err(|_| BrokerError::Deadline("counting messages", deadline))?
}
