//! What became of an event: asks the gateway for its receipt until the status is final.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use lychgate_common::status::Status;
use serde::Deserialize;

use super::{Sender, client::Reply};

/// The first look comes soon, because most events are done in milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Later looks are this far apart at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Two levels of the retry schedule and some.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// An event that is still to be tried after this long is worth a word: its worker may be away.
const QUIET: Duration = Duration::from_secs(5);
/// So often in a row a question that got no answer is put again: it changes nothing, and a connection may break.
const ASKED_AGAIN: u32 = 5;

/// What the receipt says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Receipt {
    pub(super) status: Status,
    pub(super) attempt: i32,
    #[serde(default)]
    pub(super) last_error: Option<String>,
}

/// Waits until the status is final, but not longer than `patience`. `noted` hears of every failed attempt meanwhile, and
/// once of an event that nobody has tried for a while.
pub(super) async fn wait(
    sender: &Sender,
    id: &str,
    patience: Duration,
    mut noted: impl FnMut(&Receipt),
) -> anyhow::Result<Receipt> {
    let started = Instant::now();
    let (mut pause, mut attempt, mut unanswered) = (FIRST_PAUSE, 1, 0);
    let mut told = false;
    loop {
        let reply = match sender.ask(id).await {
            Ok(reply) => reply,
            Err(_) if unanswered < ASKED_AGAIN && started.elapsed() < patience => {
                unanswered += 1;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            Err(error) => return Err(error),
        };
        unanswered = 0;
        let receipt = read(&reply)?;
        if !receipt.status.is_open() {
            return Ok(receipt);
        }
        if receipt.attempt > attempt {
            attempt = receipt.attempt;
            noted(&receipt);
        } else if !told && attempt == 1 && started.elapsed() > QUIET {
            told = true;
            noted(&receipt);
        }
        if started.elapsed() > patience {
            let why = receipt.last_error.map(|error| format!(" ({error})")).unwrap_or_default();
            bail!("still {} after {patience:?}{why}; look again with `lychgate events show {id}`", receipt.status);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn read(reply: &Reply) -> anyhow::Result<Receipt> {
    let text = String::from_utf8_lossy(&reply.body);
    if !reply.status.is_success() {
        return Err(anyhow!("the gateway does not say what became of it: {} {text}", reply.status));
    }
    serde_json::from_slice(&reply.body).map_err(|error| anyhow!("the receipt cannot be read ({error}): {text}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::{HeaderMap, StatusCode};
    use lychgate_common::{clock::Clock, source::Source, source::preset};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::{super::client::HttpClient, *};

    #[tokio::test]
    async fn a_question_that_a_broken_connection_swallowed_is_put_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            drop(listener.accept().await.unwrap());
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            assert_ne!(stream.read(&mut head).await.unwrap(), 0);
            let body = r#"{"status":"succeeded","attempt":1}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let source = Source::new("ours", (preset::GENERIC.profile)(), &["secret".into()]).unwrap();
        let sender = Sender {
            source,
            secret: "secret".into(),
            base,
            client: HttpClient::new().unwrap(),
            clock: Clock::system(),
            kind: "test".to_owned(),
            tenant: None,
            subject: None,
            data: None,
        };
        let receipt = wait(&sender, "01890a5d-ac96-774b-bcce-b302099a8057", PATIENCE, |_| {}).await.unwrap();
        assert_eq!(receipt.status, Status::Succeeded);
    }

    #[test]
    fn a_receipt_is_read_whatever_else_it_says() {
        let body = Bytes::from_static(br#"{"id":"x","status":"dead","attempt":2,"last_error":"no","more":1}"#);
        let receipt = read(&Reply { status: StatusCode::OK, headers: HeaderMap::new(), body }).unwrap();
        assert_eq!((receipt.status, receipt.attempt, receipt.last_error.as_deref()), (Status::Dead, 2, Some("no")));
    }
}
