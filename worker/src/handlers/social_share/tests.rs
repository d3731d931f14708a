//! Shares of several senders become one form; what is wrong is named.

use bytes::Bytes;
use lychgate_common::{change::Row, event::EventId};
use serde_json::json;

use super::*;

fn share(body: &Value) -> Result<Row, Failure> {
    let at = "2025-01-15T12:00:00Z".parse().unwrap();
    let event = Event {
        id: EventId::new(at),
        source: "shares".into(),
        preset: "social-share".into(),
        tenant: "".into(),
        kind: "social.share".into(),
        subject: None,
        occurred_at: None,
        received_at: at,
        body: Bytes::from(body.to_string()),
    };
    let mut changes = changes(&event)?.changes;
    let Some(Change::Append { table, row }) = changes.pop() else { panic!("{changes:?}") };
    assert_eq!((table.name, changes.len()), ("analytics_record", 0));
    Ok(row)
}

#[test]
fn shares_of_several_senders_become_one_form() {
    let one = share(&json!({"platform": "FB", "url": "https://shop.example.com/p/1", "product_id": 7})).unwrap();
    assert_eq!(one["metric_type"], "social_share");
    assert_eq!((&one["value"], &one["recorded_at"]), (&json!(1), &json!("2025-01-15T12:00:00Z")));
    let expected = json!({
        "platform": "facebook", "detected_by": "field", "url": "https://shop.example.com/p/1", "content_id": "7",
    });
    assert_eq!(one["dimensions"], expected);
    let other = json!({"shareUrl": "https://twitter.com/intent/tweet?url=x", "contentId": "7", "contentType": "product",
        "userId": "u1", "metadata": {"variant": "b"}});
    let expected = json!({"platform": "x", "detected_by": "share_url", "content_type": "product", "content_id": "7",
        "user_id": "u1", "metadata": {"variant": "b"}});
    assert_eq!(share(&other).unwrap()["dimensions"], expected);
}

#[test]
fn texts_are_cut_and_wrong_types_are_named() {
    let long = share(&json!({"title": "x".repeat(10_000)})).unwrap();
    assert_eq!(long["dimensions"]["title"].as_str().unwrap().len(), TEXT_LIMIT);
    let wrong = share(&json!({"platform": {}})).unwrap_err();
    assert_eq!(wrong.cause().message, "/platform must be text without NUL, and is an object");
    assert!(share(&json!([])).is_err());
}
