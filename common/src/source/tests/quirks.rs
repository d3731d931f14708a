//! How WooCommerce, HubSpot, Twilio and Xero differ from everybody else, beside how they sign.

use super::{
    super::*,
    kit::{Asked, at, source},
};

#[test]
fn woocommerce_names_a_delivery_in_headers_which_nobody_signed() {
    let source = source("woocommerce", "s");
    let headers = [
        ("x-wc-webhook-topic", "order.updated"),
        ("x-wc-webhook-delivery-id", "3d3a1f6f8e5b0d4d"),
        ("x-wc-webhook-source", "https://shop.example.com/"),
        ("x-wc-webhook-id", "7"),
    ];
    let identity = Asked::new(r#"{"id":727,"total":"29.35"}"#, &headers).identity(&source).unwrap();
    assert_eq!((identity.key.as_deref(), identity.key_signed), (Some("3d3a1f6f8e5b0d4d"), false));
    assert!(identity.body_guard, "so an equal body under another id is a replay");
    assert_eq!((&*identity.kind, &*identity.tenant), ("order.updated", "https://shop.example.com/"));
    assert_eq!(identity.subject.as_deref(), Some("727"), "an id that is a number");
}

#[test]
fn hubspot_counts_its_tries_in_the_body_and_its_ids_are_unique_only_together() {
    let source = source("hubspot-v3", "s");
    let event = |portal: u32, at: u64, attempt: u32| {
        format!(
            r#"{{"eventId":1,"subscriptionId":12345,"portalId":{portal},"occurredAt":{at},"subscriptionType":"contact.creation","attemptNumber":{attempt},"objectId":123}}"#
        )
    };
    let body = format!(
        "[{},{},{},{}]",
        event(62515, 1_699_999_999_123, 0),
        event(62515, 1_699_999_999_123, 1),
        event(62516, 1_699_999_999_123, 0),
        event(62515, 1_699_999_999_124, 0)
    );
    let events = source.identify(&Asked::new(&body, &[]).request()).unwrap();
    let keys: Vec<_> = events.iter().map(|event| event.key.as_deref().unwrap()).collect();
    assert_eq!(keys[0], "62515:12345:1:1699999999123");
    assert_eq!(keys[0], keys[1], "a second try, with another body");
    assert_eq!(source.on_conflict(), OnConflict::Replay, "which is no conflict");
    assert!(keys[2] != keys[0] && keys[3] != keys[0], "another portal's, and another moment's");
    let first = &events[0];
    assert_eq!((&*first.kind, &*first.tenant), ("contact.creation", "62515"));
    assert_eq!(first.occurred_at.unwrap().as_millisecond(), 1_699_999_999_123);
    assert!(events.iter().all(|event| event.key_signed));
}

#[test]
fn twilio_reads_instructions_out_of_the_answer_and_signs_no_id() {
    let source = source("twilio", "12345");
    assert_eq!((&*source.reply().content_type, source.reply().status.as_u16()), ("text/xml", 200));
    assert_eq!(source.reply().body(&[], None), "<Response/>");
    let form = "MessageSid=SM1&MessageStatus=delivered";
    let token = |token: &str| Asked::new(form, &[("i-twilio-idempotency-token", token)]).identity(&source).unwrap();
    let (one, other) = (token("a"), token("b"));
    assert_eq!(one.key, other.key, "nobody signs the token: a copy under another one is no other callback");
    let sent = Asked::new("MessageSid=SM1&MessageStatus=sent", &[]).identity(&source).unwrap();
    assert_ne!(sent.key, one.key, "of one message, each status is an event");
    let value = |text: &'static str| HeaderValue::from_static(text);
    assert!(source.accepts_content_type(Some(&value("application/x-www-form-urlencoded; charset=utf-8"))));
    assert!(!source.accepts_content_type(Some(&value("text/plain"))));
}

#[test]
fn xero_wants_nothing_in_the_answer_and_an_intent_to_receive_is_no_event() {
    let source = source("xero", "s");
    assert_eq!((source.reply().status.as_u16(), source.reply().body(&[], None)), (200, "".into()));
    let intent = r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}"#;
    assert_eq!(source.identify(&Asked::new(intent, &[]).request()), Ok(Vec::new()));
    let one = |date: &str| {
        format!(
            r#"{{"resourceId":"r1","eventCategory":"INVOICE","eventType":"UPDATE","eventDateUtc":"{date}","tenantId":"t1"}}"#
        )
    };
    let (first, second) = (one("2023-11-14T22:13:20.000"), one("2023-11-14T22:13:21.000"));
    let body = format!(r#"{{"events":[{first},{second},{first}],"entropy":"x"}}"#);
    let events = source.identify(&Asked::new(&body, &[]).request()).unwrap();
    assert_eq!(
        (&*events[0].kind, &*events[0].tenant, events[0].subject.as_deref()),
        ("INVOICE.UPDATE", "t1", Some("r1"))
    );
    assert_eq!(events[0].occurred_at, Some(at(1_700_000_000)), "a time without a zone is UTC's, as its name says");
    assert!(events[0].key == events[2].key && events[0].key != events[1].key);
}
