//! The body of a delivery: document D's envelope, the same bytes for every webhook and every attempt.
//!
//! `id` is the event's id in the ledger, so that whoever is told twice of one event can tell.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::js_form;
use crate::{
    event::{Event, EventId},
    source::{
        preset::{self, Preset},
        sample::{Draft, body},
    },
};

/// The version of the envelope, in document D's count.
const API_VERSION: &str = "2.1.0";

/// Events that come in this envelope already: only their `data` is passed on.
const ENVELOPED: &str = "platform";

/// The envelope of an event.
pub fn envelope(event: &Event) -> Bytes {
    seal(event.id, &event.kind, event.effective_at(), data(event))
}

/// The envelope of a test: what Platform Core would send of this type, as far as its document says.
pub fn sample(id: EventId, kind: &str, at: Timestamp) -> Bytes {
    let known = |preset: &&Preset| (preset.profile)().naming.kind.known.contains(&kind);
    let data = preset::named(ENVELOPED).filter(known).and_then(|_| {
        let draft = Draft { kind, id: &id.to_string(), tenant: None, subject: None, at };
        serde_json::from_slice::<Value>(&body(ENVELOPED, &draft)).ok()?.get_mut("data").map(Value::take)
    });
    seal(id, kind, at, data.unwrap_or_else(|| json!({ "test": true })))
}

fn seal(id: EventId, kind: &str, at: Timestamp, data: Value) -> Bytes {
    let envelope =
        json!({ "id": id, "event": kind, "timestamp": at.to_string(), "data": data, "api_version": API_VERSION });
    js_form::written(envelope).into()
}

/// What the event says: its JSON, else its text, else its bytes in base64.
fn data(event: &Event) -> Value {
    match serde_json::from_slice::<Value>(&event.body) {
        Ok(mut body) => match body.get_mut("data") {
            Some(data) if *event.preset == *ENVELOPED => data.take(),
            Some(_) | None => body,
        },
        Err(_) => match std::str::from_utf8(&event.body) {
            Ok(text) => Value::from(text),
            Err(_) => {
                use base64::{Engine, prelude::BASE64_STANDARD};
                json!({ "base64": BASE64_STANDARD.encode(&event.body) })
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(preset: &str, body: &'static [u8]) -> Event {
        let received_at = "2024-01-15T10:30:01Z".parse().unwrap();
        Event {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            source: "s".into(),
            preset: preset.into(),
            tenant: "".into(),
            kind: "user.created".into(),
            subject: None,
            occurred_at: "2024-01-15T10:30:00Z".parse().ok(),
            received_at,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn an_event_of_platform_core_is_passed_on_in_the_documents_envelope() {
        let body = br#"{"id": "evt_1", "event": "user.created", "data": {"user": {"id": "user_789"}}, "api_version": "2.1.0"}"#;
        let expected = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","event":"user.created","timestamp":"2024-01-15T10:30:00Z","data":{"user":{"id":"user_789"}},"api_version":"2.1.0"}"#;
        assert_eq!(envelope(&event("platform", body)), expected);
    }

    #[test]
    fn of_other_sources_the_whole_body_is_the_data_whatever_it_is() {
        let data = |body| serde_json::from_slice::<Value>(&envelope(&event("generic", body))).unwrap()["data"].take();
        assert_eq!(data(br#"{"data": 1, "more": 2}"#), json!({"data": 1, "more": 2}));
        assert_eq!(data(b"a=1&b=2"), json!("a=1&b=2"));
        assert_eq!(data(&[0xff, 0x00]), json!({"base64": "/wA="}));
    }

    #[test]
    fn a_test_has_the_documents_data_where_the_document_knows_the_type() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let data =
            |kind| serde_json::from_slice::<Value>(&sample(id, kind, Timestamp::UNIX_EPOCH)).unwrap()["data"].take();
        assert_eq!(data("user.created")["user"]["id"], "user_789");
        assert_eq!(data("order.updated"), json!({"test": true}));
    }
}
