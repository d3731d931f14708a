//! Golden envelopes both ways, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::source::OnConflict;

const FULL: &str = include_str!("../../../../tests/golden/envelope-full.json");
const LEAST: &str = include_str!("../../../../tests/golden/envelope-least.json");

fn full() -> Message {
    Message {
        event: Event {
            id: "0190f5a0-7c00-7000-8000-000000000001".parse().unwrap(),
            source: "platform".into(),
            preset: "platform".into(),
            tenant: "campus-7".into(),
            kind: "user.created".into(),
            subject: Some("user-42 ü".into()),
            occurred_at: Some("2026-11-21T10:00:00.25Z".parse().unwrap()),
            received_at: "2026-11-21T10:00:01.000001Z".parse().unwrap(),
            body: Bytes::from_static(b"{\"a\": 1}\n"),
        },
        body_in_store: false,
        attempt: Attempt::new(3).unwrap(),
        climbed: 2,
        shard: Shard::new(7).unwrap(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        reply_to: Some("lychgate.v1.reply.x".into()),
        unrecorded: None,
    }
}

fn least() -> Message {
    let mut message = full();
    message.event.tenant = "".into();
    message.event.subject = None;
    message.event.occurred_at = None;
    message.event.body = Bytes::new();
    message.body_in_store = true;
    message.attempt = Attempt::FIRST;
    message.climbed = 0;
    message.shard = Shard::new(0).unwrap();
    message.traceparent = None;
    message.reply_to = None;
    message
}

/// The properties as a person can compare them: long strings as text.
fn readable(message: &Message) -> serde_json::Value {
    let (properties, payload) = encode(message).unwrap();
    let headers: serde_json::Map<_, _> = properties
        .headers()
        .iter()
        .flat_map(|table| table.inner())
        .map(|(name, value)| {
            let value = match value {
                AMQPValue::LongString(text) => serde_json::from_slice(text.as_bytes())
                    .unwrap_or_else(|_| String::from_utf8(text.as_bytes().to_vec()).unwrap().into()),
                other => panic!("{other:?}"),
            };
            (name.to_string(), value)
        })
        .collect();
    serde_json::json!({
        "delivery_mode": properties.delivery_mode(),
        "message_id": properties.message_id().as_ref().map(ShortString::as_str),
        "reply_to": properties.reply_to().as_ref().map(ShortString::as_str),
        "headers": headers,
        "payload": String::from_utf8(payload.to_vec()).unwrap(),
    })
}

fn from_golden(text: &str) -> (BasicProperties, Vec<u8>) {
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut table = FieldTable::default();
    for (name, value) in golden["headers"].as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.insert(name.as_str().into(), AMQPValue::LongString(text.into()));
    }
    let mut properties = BasicProperties::default()
        .with_headers(table)
        .with_delivery_mode(2)
        .with_message_id(golden["message_id"].as_str().unwrap().into());
    if let Some(reply_to) = golden["reply_to"].as_str() {
        properties = properties.with_reply_to(reply_to.into());
    }
    (properties, golden["payload"].as_str().unwrap().as_bytes().to_vec())
}

#[test]
fn envelopes_are_written_as_they_always_were() {
    for (message, golden) in [(full(), FULL), (least(), LEAST)] {
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        assert_eq!(readable(&message), golden, "{:#}", readable(&message));
    }
}

#[test]
fn envelopes_of_old_are_still_read() {
    for (message, golden) in [(full(), FULL), (least(), LEAST)] {
        let (properties, payload) = from_golden(golden);
        let read = decode(&properties, payload).unwrap();
        assert_eq!(format!("{read:?}"), format!("{message:?}"));
    }
}

#[test]
fn what_the_broker_adds_is_not_copied() {
    let (properties, payload) = from_golden(FULL);
    let mut table = properties.headers().clone().unwrap();
    table.insert("x-death".into(), AMQPValue::LongString("rejected".into()));
    let read = decode(&properties.with_headers(table), payload).unwrap();
    let (again, _) = encode(&read).unwrap();
    assert!(again.headers().as_ref().unwrap().inner().keys().all(|name| !name.as_str().starts_with("x-")));
}

#[test]
fn an_unreadable_message_says_why_and_keeps_its_bytes() {
    let (properties, payload) = from_golden(FULL);
    let id = full().id();
    let golden: serde_json::Value = serde_json::from_str(FULL).unwrap();
    let unreadable = |envelope: AMQPValue| {
        let mut table = FieldTable::default();
        table.insert(ENVELOPE.into(), envelope);
        decode(&properties.clone().with_headers(table), payload.clone()).unwrap_err()
    };
    let with = |field: &str, value: serde_json::Value| {
        let mut envelope = golden["headers"][ENVELOPE].clone();
        match value.is_null() {
            true => envelope.as_object_mut().unwrap().remove(field),
            false => envelope.as_object_mut().unwrap().insert(field.to_owned(), value),
        };
        unreadable(AMQPValue::LongString(envelope.to_string().into()))
    };
    for (poison, why) in [
        (with("schema", 2.into()), "version 2"),
        (with("source", serde_json::Value::Null), "missing field `source`"),
        (with("kind", true.into()), "expected a string"),
        (with("attempt", 0.into()), "`attempt` is 0"),
        (with("shard", (-1).into()), "`shard` is -1"),
        (with("received_at", "yesterday".into()), "cannot be read"),
        (unreadable(AMQPValue::LongString("{\"schema\":3}".into())), "version 3"),
        (unreadable(AMQPValue::LongString("{".into())), "cannot be read"),
        (unreadable(AMQPValue::Boolean(true)), "not a text"),
    ] {
        assert!(poison.why.contains(why), "{why}: {}", poison.why);
        assert_eq!((poison.bytes.as_ref(), poison.id), (payload.as_slice(), Some(id)));
    }
    let bare = decode(&BasicProperties::default(), b"x".to_vec()).unwrap_err();
    assert_eq!((bare.why.as_str(), bare.id), ("it has no headers", None));
}

#[test]
fn what_would_break_the_connection_is_not_sent() {
    let mut message = full();
    message.event.subject = Some("x".repeat(TEXT_LIMIT).into());
    assert!(matches!(encode(&message), Err(Unsendable::Text(_))));
    let mut message = full();
    message.event.body = Bytes::from(vec![0; PAYLOAD_LIMIT + 1]);
    assert!(matches!(encode(&message), Err(Unsendable::Payload(_))));
}

proptest! {
    #[test]
    fn whatever_texts_an_event_has_come_back_as_they_were(
        texts in proptest::collection::vec(".{0,40}", 6),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        (attempt, climbed, shard) in (1..i32::MAX, any::<u8>(), 0..64i16),
    ) {
        let [source, kind, tenant, subject, key, headers] = texts.as_slice() else { unreachable!() };
        let mut message = full();
        message.event.source = source.as_str().into();
        message.event.kind = kind.as_str().into();
        message.event.tenant = tenant.as_str().into();
        message.event.subject = Some(subject.as_str().into());
        message.event.body = body.into();
        (message.attempt, message.climbed) = (Attempt::new(attempt).unwrap(), climbed);
        message.shard = Shard::new(shard).unwrap();
        message.unrecorded = Some(Box::new(Unrecorded {
            key: Some(key.clone()),
            body_guard: true,
            body_guard_window: Some(std::time::Duration::from_secs(300)),
            on_conflict: OnConflict::NewEvent,
            headers: headers.clone(),
            content_type: Some(subject.clone()),
        }));
        let (properties, payload) = encode(&message).unwrap();
        let read = decode(&properties, payload.to_vec()).unwrap();
        prop_assert_eq!(format!("{:?}", read), format!("{:?}", message));
    }

    #[test]
    fn no_headers_make_the_reader_panic(
        envelope in prop_oneof![".{0,60}", r#"\{("[a-z_]{1,10}":(-?[0-9]{1,12}|"[^"]{0,9}"|null|\{\}|\[\]),){0,6}"schema":[0-9]\}"#],
        id in ".{0,50}",
        strange in 0..6usize,
    ) {
        let values = [
            AMQPValue::LongString(envelope.into()),
            AMQPValue::ByteArray(vec![1, 2].into()),
            AMQPValue::Void,
            AMQPValue::Double(f64::NAN),
            AMQPValue::FieldTable(FieldTable::default()),
            AMQPValue::LongLongInt(i64::MIN),
        ];
        let mut table = FieldTable::default();
        for name in [ENVELOPE, TRACEPARENT, "x-delivery-count", "x-death", "x-first-death-reason"] {
            let value = if name == ENVELOPE { &values[0] } else { &values[strange] };
            table.insert(name.into(), value.clone());
        }
        let mut properties = BasicProperties::default().with_headers(table);
        if let Ok(id) = ShortString::try_new(id) {
            properties = properties.with_message_id(id);
        }
        let bytes = b"as they came".to_vec();
        if let Err(poison) = decode(&properties, bytes.clone()) {
            prop_assert_eq!(poison.bytes.as_ref(), bytes.as_slice());
            prop_assert!(!poison.why.is_empty());
        }
        let _ = (delivery_count(&properties), death(&properties));
    }
}
