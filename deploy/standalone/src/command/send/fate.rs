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
const PATIENCE: Duration = Duration::from_secs(90);

/// What the receipt says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Receipt {
    pub(super) status: Status,
    pub(super) attempt: i32,
    #[serde(default)]
    pub(super) last_error: Option<String>,
}

/// Waits until the status is final. `noted` hears of every failed attempt meanwhile.
pub(super) async fn wait(sender: &Sender, id: &str, mut noted: impl FnMut(&Receipt)) -> anyhow::Result<Receipt> {
    let started = Instant::now();
    let (mut pause, mut attempt) = (FIRST_PAUSE, 1);
    loop {
        let receipt = read(&sender.ask(id).await?)?;
        if !receipt.status.is_open() {
            return Ok(receipt);
        }
        if receipt.attempt > attempt {
            attempt = receipt.attempt;
            noted(&receipt);
        }
        if started.elapsed() > PATIENCE {
            let why = receipt.last_error.map(|error| format!(" ({error})")).unwrap_or_default();
            bail!("still {} after {PATIENCE:?}{why}; look again with `lychgate events show {id}`", receipt.status);
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

    use super::*;

    #[test]
    fn a_receipt_is_read_whatever_else_it_says() {
        let body = Bytes::from_static(br#"{"id":"x","status":"dead","attempt":2,"last_error":"no","more":1}"#);
        let receipt = read(&Reply { status: StatusCode::OK, headers: HeaderMap::new(), body }).unwrap();
        assert_eq!((receipt.status, receipt.attempt, receipt.last_error.as_deref()), (Status::Dead, 2, Some("no")));
    }
}
