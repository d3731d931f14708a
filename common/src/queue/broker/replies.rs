//! Outcomes for a gateway whose sender waits: an exclusive queue of its own, gone when its connection is.
//!
//! Nothing here is promised: who hears no outcome in time is answered *accepted* and can ask for the event's status.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::{
    Connection,
    options::{BasicConsumeOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    BrokerError,
    connection::{Session, State, close},
    declare::short,
};
use crate::event::EventId;

pub(super) struct Listening {
    pub(super) queue: Arc<str>,
    pub(super) outcomes: mpsc::Sender<(EventId, Bytes)>,
    pub(super) deadline: Duration,
    pub(super) stop: CancellationToken,
}

impl Session for Listening {
    const PURPOSE: &'static str = "replies";

    async fn run(&mut self, connection: Arc<Connection>, state: &State) -> Result<(), BrokerError> {
        let opening = async {
            let channel = connection.create_channel().await?;
            let queue = short(&self.queue)?;
            let exclusive = QueueDeclareOptions::exclusive().auto_delete();
            channel.queue_declare(queue.clone(), exclusive, FieldTable::default()).await?;
            let unacknowledged =
                BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
            let consumer = channel.basic_consume(queue, "".into(), unacknowledged, FieldTable::default()).await?;
            Ok::<_, BrokerError>((channel, consumer))
        };
        let (_channel, mut consumer) = timeout(self.deadline, opening)
            .await
            .map_err(|_| BrokerError::Deadline("opening the reply queue", self.deadline))??;
        state.up();
        loop {
            let delivery = tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.outcomes.closed() => break,
                delivery = consumer.next() => delivery.ok_or_else(|| BrokerError::Ended(self.queue.to_string()))??,
            };
            let id = delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
            if let Some(id) = id {
                // A gateway that is too busy for outcomes has senders that no longer wait.
                let _ = self.outcomes.try_send((id, Bytes::from(delivery.data)));
            }
        }
        close(&connection).await;
        Ok(())
    }
}
