//! *Listen*: hears what the database tells, on a connection of its own.
//!
//! A notification only wakes; whoever listens also looks for himself now and then, because one that is sent while no
//! connection stands is gone, and behind a pooler that lends connections by transaction none arrives.

use std::pin::pin;

use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, config::SslMode};

use super::{Store, StoreError, connect::tls};

impl Store {
    /// Listens on a channel until the connection ends, and calls `heard` at every notification, and once at the
    /// beginning, for what was told before.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn listen(&self, channel: &'static str, heard: impl Fn()) -> Result<(), StoreError> {
        match self.config.get_ssl_mode() {
            SslMode::Disable => {
                let (client, connection) = self.config.connect(NoTls).await?;
                attend(client, connection, channel, heard).await
            }
            _ => {
                let (client, connection) = self.config.connect(tls()?).await?;
                attend(client, connection, channel, heard).await
            }
        }
    }
}

async fn attend<S, T>(
    client: Client,
    mut connection: Connection<S, T>,
    channel: &str,
    heard: impl Fn(),
) -> Result<(), StoreError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let begin = format!("/* listen */ listen {channel}");
    let mut begun = pin!(client.batch_execute(&begin));
    let mut listening = false;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    loop {
        tokio::select! {
            done = &mut begun, if !listening => {
                done?;
                listening = true;
                heard();
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(_))) => heard(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            }
        }
    }
}
