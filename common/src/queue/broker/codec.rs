//! A message as AMQP properties, one header and payload, and back. The payload is the webhook's raw body.
//!
//! All that is said of the event stands in one header, as JSON: RabbitMQ decodes every header of every message, and a
//! dozen of them cost it and us more than the body did. The envelope is versioned (`schema`) and written from scratch
//! each time: nothing that a broker added on the way (`x-death` and its kind) is ever copied, because RabbitMQ before
//! 4.0 drops messages by it. Nothing secret goes into a header.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Attempt, Event, EventId},
    message::{Message, Unrecorded},
    queue::Shard,
};

/// The only envelope there has been. A reader refuses what it does not know.
const SCHEMA: u16 = 1;

/// The header that carries it.
const ENVELOPE: &str = "lychgate";

/// The W3C trace context stands apart, where other tools look for it.
const TRACEPARENT: &str = "traceparent";

/// The headers together, in bytes: they travel in one frame, of 128 KiB in RabbitMQ's default.
const TEXT_LIMIT: usize = 64 * 1024;

/// The largest message that RabbitMQ 4 takes.
const PAYLOAD_LIMIT: usize = 16 * 1024 * 1024;

/// What is said of an event on its way. What is not there has its ordinary value.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope<'a> {
    schema: u16,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    preset: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    received_at: Timestamp,
    shard: i16,
    attempt: i32,
    #[serde(default, skip_serializing_if = "is_ground")]
    climbed: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    body_in_store: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    unrecorded: Option<Cow<'a, Unrecorded>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the form that serde calls
fn is_ground(climbed: &u8) -> bool {
    *climbed == 0
}

/// All that is read of an envelope that cannot be read.
#[derive(Deserialize)]
struct Version {
    schema: u16,
}

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
    let envelope = Envelope {
        schema: SCHEMA,
        source: Cow::Borrowed(&event.source),
        preset: Cow::Borrowed(&event.preset),
        tenant: Cow::Borrowed(&event.tenant),
        kind: Cow::Borrowed(&event.kind),
        subject: event.subject.as_deref().map(Cow::Borrowed),
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        shard: message.shard.number(),
        attempt: message.attempt.number(),
        climbed: message.climbed,
        body_in_store: message.body_in_store,
        unrecorded: message.unrecorded.as_deref().map(Cow::Borrowed),
    };
    // Texts, numbers and flags: nothing in it can fail to serialise.
    let envelope = serde_json::to_string(&envelope).unwrap_or_default();
    let traceparent = message.traceparent.as_deref();
    let bytes = envelope.len() + traceparent.map_or(0, str::len);
    if bytes > TEXT_LIMIT {
        return Err(Unsendable::Text(bytes));
    }
    let mut headers = FieldTable::default();
    headers.insert(ENVELOPE.into(), AMQPValue::LongString(envelope.into()));
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(traceparent.into()));
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_headers(headers)
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
    let id = properties.message_id().as_ref().ok_or("it has no message_id")?;
    let envelope = envelope(text(headers, ENVELOPE)?)?;
    let Envelope { attempt, shard, .. } = envelope;
    Ok(Message {
        event: Event {
            id: id.as_str().parse().map_err(|error| format!("its message_id is none of ours: {error}"))?,
            source: envelope.source.into(),
            preset: envelope.preset.into(),
            tenant: envelope.tenant.into(),
            kind: envelope.kind.into(),
            subject: envelope.subject.map(Arc::from),
            occurred_at: envelope.occurred_at,
            received_at: envelope.received_at,
            body,
        },
        body_in_store: envelope.body_in_store,
        attempt: Attempt::new(attempt).ok_or_else(|| format!("its `attempt` is {attempt}"))?,
        climbed: envelope.climbed,
        shard: Shard::new(shard).ok_or_else(|| format!("its `shard` is {shard}"))?,
        traceparent: optional(headers, TRACEPARENT)?.map(Arc::from),
        reply_to: properties.reply_to().as_ref().map(|name| Arc::from(name.as_str())),
        unrecorded: envelope.unrecorded.map(|unrecorded| Box::new(unrecorded.into_owned())),
    })
}

/// Another version's envelope may look like ours or not at all: its number is what says so.
fn envelope(json: &str) -> Result<Envelope<'_>, String> {
    let read = serde_json::from_str::<Envelope<'_>>(json);
    let schema = match &read {
        Ok(envelope) => envelope.schema,
        Err(_) => serde_json::from_str::<Version>(json).map_or(SCHEMA, |version| version.schema),
    };
    if schema != SCHEMA {
        return Err(format!("its envelope has version {schema}; this build reads {SCHEMA}"));
    }
    read.map_err(|error| format!("its envelope cannot be read: {error}"))
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

#[cfg(test)]
mod tests;
