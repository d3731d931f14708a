//! `lychgate send`: builds, signs and sends what a source's real sender would, and says what came back.
//!
//! It knows nothing that a sender does not: the event goes in by the public door, and its fate comes back by it.

mod client;
mod fate;
pub(crate) mod key;
mod many;

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use jiff::Timestamp;
use lychgate_common::{
    clock::Clock,
    event::EventId,
    process::{self, Options},
    secret::Secret,
    source::{
        Source,
        sample::Draft,
        sign::{Outgoing, sign},
    },
    status::Status,
};
use sha2::{Digest, Sha256};
use url::Url;

use self::client::{HttpClient, Reply, join};
use crate::{
    command::up::addresses,
    output::{self, clean},
    settings::Found,
};

/// When a sample claims to have happened: always the same moment, so that the same sample is the same event. It is the
/// one in Platform Core's document.
const SAMPLE_TIME: Timestamp = Timestamp::constant(1_705_314_600, 0);

/// Options of `send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The source, by its name in the settings
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The event's type, e.g. user.created
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The body to send, from a file or, as `-`, from standard input; otherwise a sample such as the sender's own
    #[arg(long, value_name = "FILE|-")]
    data: Option<PathBuf>,
    /// The event's id, where the sender has ids; otherwise the sample's or the body's, the same each time: a second send
    /// is a duplicate
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Whose event it is, where the source has tenants (a campus's church id)
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// What the sample is about, e.g. a member's id
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// The gateway's address; otherwise that of the `lychgate up` here, else `gateway.listen`
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Send so many, each with an id of its own, and say how it went in sum
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Wait for the outcome and say it
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    key: key::GivenKey,
}

/// One source's sender.
#[derive(Debug)]
struct Sender {
    source: Source,
    secret: Secret,
    base: Url,
    client: HttpClient,
    clock: Clock,
    kind: String,
    tenant: Option<String>,
    subject: Option<String>,
    data: Option<Bytes>,
}

/// Sends, and fails unless everything was accepted (and, with `--wait`, done).
pub(crate) async fn run(send: &Send, common: &Options) -> anyhow::Result<()> {
    let found = Found::read(common)?;
    let sources = process::sources(&found.settings)?;
    let source = found.source(&sources, &send.source)?;
    let sender = Sender {
        secret: key::secret(&found, source, send.tenant.as_deref(), &send.key).await?,
        source: source.clone(),
        base: base(send, &found)?,
        client: HttpClient::new()?,
        clock: Clock::system(),
        kind: send.kind.clone(),
        tenant: send.tenant.clone(),
        subject: send.subject.clone(),
        data: send.data.as_deref().map(read).transpose()?,
    };
    let id = match (&send.id, send.count, &sender.data) {
        (Some(id), _, _) => id.clone(),
        (None, 1, None) => format!("sample_{}", send.kind.replace(|c: char| !c.is_ascii_alphanumeric(), "_")),
        (None, 1, Some(body)) => format!("body_{:.16}", hex::encode(Sha256::digest(body))),
        (None, _, _) => EventId::new(sender.clock.now()).to_string(),
    };
    if send.count > 1 {
        many::run(sender, &id, send.count, send.wait).await
    } else {
        one(&sender, &id, send.wait).await
    }
}

/// Where the gateway is.
fn base(send: &Send, found: &Found) -> anyhow::Result<Url> {
    if let Some(url) = &send.url {
        return Ok(url.clone());
    }
    let running = found.data_directories().iter().find_map(|data| addresses::of_running(data));
    let address = running.unwrap_or(found.settings.gateway.listen);
    Url::parse(&format!("http://{address}")).with_context(|| format!("{address} is no address to send to"))
}

/// The body from a file or from standard input.
fn read(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(path).map(|content| bytes = content),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes.into())
}

async fn one(sender: &Sender, id: &str, wait: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let reply = sender.send(id).await?;
    output::line(format_args!("{} in {:.1?}", reply.status, started.elapsed()));
    output::line(clean(String::from_utf8_lossy(&reply.body).trim_end()));
    let events = reply.events();
    for event in &events {
        output::line(format_args!("event {event}"));
    }
    if reply.header("idempotent-replayed") == Some("true") {
        output::line("duplicate: the original answer; nothing is processed again");
    }
    match events.first() {
        Some(event) if !reply.status.is_success() => {
            bail!("accepted, but not processed; more with `{} dead-letters show {event}`", output::program())
        }
        None if !reply.status.is_success() => bail!("refused"),
        Some(_) | None if !wait => Ok(()),
        Some(_) => told(sender, &events).await,
        None if sender.source.profile().naming.split.is_some() => {
            bail!("the answer names no event to wait for; look with `{} events list`", output::program())
        }
        None => {
            output::line("the gateway answered this itself: it is no event, and there is nothing to wait for");
            Ok(())
        }
    }
}

/// Waits for each event, and says what became of it.
async fn told(sender: &Sender, events: &[String]) -> anyhow::Result<()> {
    let retry = |receipt: &fate::Receipt| {
        if receipt.attempt == 1 {
            let patience = fate::PATIENCE;
            output::aside(format_args!(
                "note: not processed yet; waiting for up to {patience:?}. It is safe: stop me if you like"
            ));
            return;
        }
        let why = receipt.last_error.as_deref().unwrap_or("no reason given");
        output::line(format_args!("attempt {} failed, retrying: {}", receipt.attempt - 1, clean(why)));
    };
    let mut dead = None;
    for event in events {
        let receipt = fate::wait(sender, event, fate::PATIENCE, retry).await?;
        match (receipt.status, receipt.last_error) {
            (Status::Dead, why) => {
                output::line(format_args!("dead: {}", clean(why.as_deref().unwrap_or("no reason given"))));
                dead = dead.or(Some(event));
            }
            (status, Some(why)) => output::line(format_args!("{status}: {}", clean(&why))),
            (status, None) => output::line(status),
        }
    }
    match dead {
        Some(event) => bail!("not processed; more with `{} dead-letters show {event}`", output::program()),
        None => Ok(()),
    }
}

impl Sender {
    /// Sends one event of this id.
    async fn send(&self, id: &str) -> anyhow::Result<Reply> {
        let body = match &self.data {
            Some(data) => Some(data.clone()),
            None if self.source.dates_its_bodies() => None,
            None => Some(self.source.sample(&self.draft(id, SAMPLE_TIME))),
        };
        self.client.send(&self.base, self.signed(id, body)?).await
    }

    /// Asks what became of an event, as its sender: the same credentials over an empty body.
    async fn ask(&self, event: &str) -> anyhow::Result<Reply> {
        let mut outgoing = self.signed(event, Some(Bytes::new()))?;
        outgoing.method = Method::GET;
        // A token in the address is its sender's credential here, too.
        let query = outgoing.target.find('?').and_then(|at| outgoing.target.get(at..)).unwrap_or_default();
        outgoing.target = format!("/events/{event}{query}");
        self.client.send(&self.base, outgoing).await
    }

    fn draft<'a>(&'a self, id: &'a str, at: Timestamp) -> Draft<'a> {
        Draft { kind: &self.kind, id, tenant: self.tenant.as_deref(), subject: self.subject.as_deref(), at }
    }

    fn signed(&self, id: &str, body: Option<Bytes>) -> anyhow::Result<Outgoing> {
        let draft = self.draft(id, self.clock.now());
        let url = self.source.public_url().map_or_else(|| join(&self.base, self.source.path().as_str()), str::to_owned);
        Ok(sign(&self.source, &self.secret, &draft, body, Some(&url))?)
    }
}
