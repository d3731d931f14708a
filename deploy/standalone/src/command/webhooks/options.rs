//! What can be asked about webhooks. The texts here are the manual.

use clap::{ArgGroup, Args, Subcommand};
use lychgate_common::event::EventId;
use serde_json::{Map, Value, json};

/// What can be done to webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// List webhooks, the newest first
    List(List),
    /// Show one webhook
    Show(One),
    /// Tell an address of events from now on; prints the secret, once
    Create(Create),
    /// Change what is given; the rest stays
    Update(Update),
    /// Tell it of nothing any more, and forget it and its secrets
    Delete(Which),
    /// Give it a new secret, printed once; the old one signs beside it for a while
    RotateSecret(Rotate),
    /// Send it an example of an event
    Test(Test),
    /// List its deliveries, the newest first
    Deliveries(Deliveries),
    /// Make finished deliveries once more, under their ids
    Resend(Resend),
}

/// Options of `webhooks list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// Only webhooks older than this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Names a webhook.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The webhook's id
    pub(super) id: String,
}

/// Names a webhook that is to be shown.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The webhook's id
    pub(super) id: String,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Where the events go, with https
    #[arg(long, value_name = "URL")]
    url: String,
    /// Which events: user.created, `user.*`, `*`; can be repeated
    #[arg(long = "event", value_name = "NAME", required = true)]
    events: Vec<String>,
    /// Only events of this source; can be repeated [default: of every one]
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// A few words on what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Don't tell it of anything yet
    #[arg(long)]
    paused: bool,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks update`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)
    .args(["url", "events", "sources", "every_source", "description", "pause", "resume"])))]
pub(crate) struct Update {
    /// The webhook's id
    pub(super) id: String,
    /// Where the events go, with https
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Which events, instead of those before; can be repeated
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// Only events of this source, instead of those before; can be repeated
    #[arg(long = "source", value_name = "NAME", conflicts_with = "every_source")]
    sources: Vec<String>,
    /// Events of every source
    #[arg(long)]
    every_source: bool,
    /// A few words on what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Tell it of nothing until it is resumed
    #[arg(long, conflicts_with = "resume")]
    pause: bool,
    /// Tell it of events again, also after it was disabled
    #[arg(long)]
    resume: bool,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks rotate-secret`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The webhook's id
    pub(super) id: String,
    /// How many hours the old secret goes on signing, 0 for not at all [default: 24]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(0..=720))]
    pub(super) overlap: Option<u32>,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The webhook's id
    pub(super) id: String,
    /// Which event to send an example of
    #[arg(long, value_name = "NAME")]
    pub(super) event: String,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks deliveries`.
#[derive(Debug, Args)]
pub(crate) struct Deliveries {
    /// The webhook's id
    pub(super) id: String,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// Only deliveries older than this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<EventId>,
    /// One JSON object a line, with every attempt
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `webhooks resend`.
#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// The webhook's id
    pub(super) id: String,
    /// The deliveries' ids
    #[arg(required = true, value_name = "DELIVERY")]
    pub(super) deliveries: Vec<EventId>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl Create {
    /// As the interface would be asked.
    pub(super) fn into_body(self) -> Value {
        let mut body = Map::from_iter([
            ("url".to_owned(), json!(self.url)),
            ("events".to_owned(), json!(self.events)),
            ("active".to_owned(), json!(!self.paused)),
        ]);
        if !self.sources.is_empty() {
            body.insert("sources".to_owned(), json!(self.sources));
        }
        if let Some(description) = self.description {
            body.insert("description".to_owned(), json!(description));
        }
        Value::Object(body)
    }
}

impl Update {
    /// As the interface would be asked.
    pub(super) fn into_body(self) -> Value {
        let some = |list: Vec<String>| if list.is_empty() { None } else { Some(json!(list)) };
        let sources = if self.every_source { Some(Value::Null) } else { some(self.sources) };
        let active = if self.pause || self.resume { Some(json!(self.resume)) } else { None };
        let fields = [
            ("url", self.url.map(Value::from)),
            ("events", some(self.events)),
            ("sources", sources),
            ("description", self.description.map(Value::from)),
            ("active", active),
        ];
        Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}
