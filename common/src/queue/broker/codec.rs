//! A message as AMQP properties, headers and payload, and back. The payload is the webhook's raw body.
//!
//! The envelope is versioned (`lychgate-schema`) and written from scratch each time: nothing that a broker added on
//! the way (`x-death` and its kind) is ever copied, because RabbitMQ before 4.0 drops messages by it. Nothing secret
//! goes into a header.

use std::{fmt::Display, str::FromStr, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{
    event::{Attempt, Event, EventId},
    message::Message,
    queue::Shard,
};

/// The only envelope there has been. A reader refuses what it does not know.
const SCHEMA: i64 = 1;

/// All texts in the headers together, in bytes: they travel in one frame, of 128 KiB in RabbitMQ's default.
const TEXT_LIMIT: usize = 64 * 1024;

/// The largest message that RabbitMQ 4 takes.
const PAYLOAD_LIMIT: usize = 16 * 1024 * 1024;

/// A message that this build cannot read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the message cannot be read: {why}")]
pub struct Poison {
    /// The payload as it came.
    pub bytes: Bytes,
    /// The event's id, where at least that could be read.
    pub id: Option<EventId>,
    /// What was wrong.
    pub why: String,
}

/// Why a message is not even sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the event's names and subject have {0} bytes together, more than fit one AMQP frame")]
    Text(usize),
    #[error("the body has {0} bytes, more than RabbitMQ takes; it must be left in the store")]
    Payload(usize),
}

/// Properties and payload for a message.
pub(super) fn encode(message: &Message) -> Result<(BasicProperties, Bytes), Unsendable> {
    let event = &message.event;
    if event.body.len() > PAYLOAD_LIMIT {
        return Err(Unsendable::Payload(event.body.len()));
    }
    let mut headers = Headers::default();
    headers.number("lychgate-schema", SCHEMA);
    headers.text("lychgate-source", &event.source);
    headers.text("lychgate-preset", &event.preset);
    headers.text("lychgate-tenant", &event.tenant);
    headers.text("lychgate-kind", &event.kind);
    headers.optional("lychgate-subject", event.subject.as_deref());
    headers.optional("lychgate-occurred-at", event.occurred_at.map(|at| at.to_string()).as_deref());
    headers.text("lychgate-received-at", &event.received_at.to_string());
    headers.number("lychgate-attempt", message.attempt.number().into());
    headers.number("lychgate-climbed", message.climbed.into());
    headers.number("lychgate-shard", message.shard.number().into());
    headers.text("lychgate-body", if message.body_in_store { "store" } else { "inline" });
    headers.optional("traceparent", message.traceparent.as_deref());
    // Texts and a flag: nothing in it can fail to serialise.
    let unrecorded = message.unrecorded.as_ref().and_then(|unrecorded| serde_json::to_string(unrecorded).ok());
    headers.optional("lychgate-unrecorded", unrecorded.as_deref());
    if headers.bytes > TEXT_LIMIT {
        return Err(Unsendable::Text(headers.bytes));
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_headers(headers.table)
        .with_message_id(message.id().to_string().into()); // 36 characters: fits
    if let Some(reply_to) = &message.reply_to {
        // A name that is too long is none of ours: the sender then waits in vain and reads the receipt instead.
        if let Ok(reply_to) = ShortString::try_new(&**reply_to) {
            properties = properties.with_reply_to(reply_to);
        }
    }
    Ok((properties, event.body.clone()))
}

/// Reads a message back.
pub(super) fn decode(properties: &BasicProperties, payload: Vec<u8>) -> Result<Message, Poison> {
    let bytes = Bytes::from(payload);
    read(properties, bytes.clone()).map_err(|why| {
        let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        Poison { bytes, id, why }
    })
}

fn read(properties: &BasicProperties, body: Bytes) -> Result<Message, String> {
    let headers = properties.headers().as_ref().ok_or("it has no headers")?;
    let schema = number(headers, "lychgate-schema")?;
    if schema != SCHEMA {
        return Err(format!("its envelope has version {schema}; this build reads {SCHEMA}"));
    }
    let id = properties.message_id().as_ref().ok_or("it has no message_id")?;
    let body_in_store = match text(headers, "lychgate-body")? {
        "inline" => false,
        "store" => true,
        other => return Err(format!("`lychgate-body` is `{other}`, neither `inline` nor `store`")),
    };
    let attempt = number(headers, "lychgate-attempt")?;
    let shard = number(headers, "lychgate-shard")?;
    let climbed = number(headers, "lychgate-climbed")?;
    Ok(Message {
        event: Event {
            id: parse("message_id", id.as_str())?,
            source: text(headers, "lychgate-source")?.into(),
            preset: text(headers, "lychgate-preset")?.into(),
            tenant: text(headers, "lychgate-tenant")?.into(),
            kind: text(headers, "lychgate-kind")?.into(),
            subject: optional(headers, "lychgate-subject")?.map(Arc::from),
            occurred_at: match optional(headers, "lychgate-occurred-at")? {
                Some(at) => Some(parse("lychgate-occurred-at", at)?),
                None => None,
            },
            received_at: parse::<Timestamp>("lychgate-received-at", text(headers, "lychgate-received-at")?)?,
            body,
        },
        body_in_store,
        attempt: i32::try_from(attempt)
            .ok()
            .and_then(Attempt::new)
            .ok_or_else(|| format!("`lychgate-attempt` is {attempt}"))?,
        climbed: u8::try_from(climbed).map_err(|_| format!("`lychgate-climbed` is {climbed}"))?,
        shard: i16::try_from(shard).ok().and_then(Shard::new).ok_or_else(|| format!("`lychgate-shard` is {shard}"))?,
        traceparent: optional(headers, "traceparent")?.map(Arc::from),
        reply_to: properties.reply_to().as_ref().map(|name| Arc::from(name.as_str())),
        unrecorded: match optional(headers, "lychgate-unrecorded")? {
            Some(json) => {
                serde_json::from_str(json).map_err(|error| format!("`lychgate-unrecorded` cannot be read: {error}"))?
            }
            None => None,
        },
    })
}

/// How often a quorum queue has delivered this before; classic queues and first deliveries do not say.
pub(super) fn delivery_count(properties: &BasicProperties) -> i64 {
    properties.headers().as_ref().and_then(|headers| number(headers, "x-delivery-count").ok()).unwrap_or(0)
}

/// Why the broker moved a message to the queue where it was found: `rejected`, `delivery_limit`, `expired`, `maxlen`.
pub(super) fn death(properties: &BasicProperties) -> Option<String> {
    let headers = properties.headers().as_ref()?;
    if let Ok(reason) = text(headers, "x-first-death-reason") {
        return Some(reason.to_owned());
    }
    match headers.inner().get("x-death")?.as_array()?.as_slice().first()? {
        AMQPValue::FieldTable(death) => text(death, "reason").ok().map(str::to_owned),
        _ => None,
    }
}

#[derive(Default)]
struct Headers {
    table: FieldTable,
    bytes: usize,
}

impl Headers {
    fn text(&mut self, name: &'static str, value: &str) {
        self.bytes = self.bytes.saturating_add(value.len());
        self.table.insert(name.into(), AMQPValue::LongString(value.into()));
    }

    fn optional(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn number(&mut self, name: &'static str, value: i64) {
        self.table.insert(name.into(), AMQPValue::LongLongInt(value));
    }
}

fn text<'a>(headers: &'a FieldTable, name: &str) -> Result<&'a str, String> {
    optional(headers, name)?.ok_or_else(|| format!("the header `{name}` is missing"))
}

fn optional<'a>(headers: &'a FieldTable, name: &str) -> Result<Option<&'a str>, String> {
    match headers.inner().get(name) {
        None => Ok(None),
        Some(AMQPValue::LongString(value)) => {
            std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| format!("the header `{name}` is not UTF-8"))
        }
        Some(other) => Err(format!("the header `{name}` is a {:?}, not a text", other.get_type())),
    }
}

/// Any of AMQP's integers: clients and shovels write a number in the width they like.
fn number(headers: &FieldTable, name: &str) -> Result<i64, String> {
    match headers.inner().get(name) {
        None => Err(format!("the header `{name}` is missing")),
        Some(AMQPValue::LongLongInt(value)) => Ok(*value),
        Some(AMQPValue::LongInt(value)) => Ok((*value).into()),
        Some(AMQPValue::LongUInt(value)) => Ok((*value).into()),
        Some(AMQPValue::ShortInt(value)) => Ok((*value).into()),
        Some(AMQPValue::ShortUInt(value)) => Ok((*value).into()),
        Some(AMQPValue::ShortShortInt(value)) => Ok((*value).into()),
        Some(AMQPValue::ShortShortUInt(value)) => Ok((*value).into()),
        Some(other) => Err(format!("the header `{name}` is a {:?}, not a number", other.get_type())),
    }
}

fn parse<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("`{name}` cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
