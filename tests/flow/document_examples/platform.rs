//! Document D, "Platform Core API Webhooks".

use lychgate_tests::{
    http::Request,
    sender::hex_sha256,
    settings::secrets::PLATFORM,
    stage::{QueueKind, Stage},
};
use serde_json::json;

use super::{Example, ends, is_refused};

/// The payloads that are sent to an endpoint, with the type that the header names.
const EXAMPLES: [(&str, Example); 4] = [
    (
        "user.created",
        Example {
            section: "Request Structure",
            payload: r#"{
  "id": "webhook_123456",
  "event": "user.created",
  "timestamp": "2024-01-15T10:30:00Z",
  "data": {
    "user": {
      "id": "user_789",
      "username": "new.user@example.com",
      "name": "New User",
      "created_at": "2024-01-15T10:30:00Z"
    }
  },
  "api_version": "2.1.0"
}"#,
        },
    ),
    (
        "user.created",
        Example {
            section: "User Created",
            payload: r#"{
  "id": "webhook_001",
  "event": "user.created",
  "timestamp": "2024-01-15T10:30:00Z",
  "data": {
    "user": {
      "id": "user_789",
      "username": "john.doe@example.com",
      "name": "John Doe",
      "created_at": "2024-01-15T10:30:00Z",
      "permissions": ["read", "write"]
    }
  }
}"#,
        },
    ),
    (
        "token.refreshed",
        Example {
            section: "Token Refreshed",
            payload: r#"{
  "id": "webhook_002",
  "event": "token.refreshed",
  "timestamp": "2024-01-15T11:00:00Z",
  "data": {
    "token": {
      "user_id": "user_789",
      "token_type": "access_token",
      "expires_at": "2024-01-15T12:00:00Z",
      "scopes": ["read", "write"]
    }
  }
}"#,
        },
    ),
    (
        "api.rate_limit_exceeded",
        Example {
            section: "Rate Limit Exceeded",
            payload: r#"{
  "id": "webhook_003",
  "event": "api.rate_limit_exceeded",
  "timestamp": "2024-01-15T11:15:00Z",
  "data": {
    "rate_limit": {
      "user_id": "user_789",
      "endpoint": "/v2/users/me",
      "limit": 1000,
      "window": 3600,
      "exceeded_by": 50
    }
  }
}"#,
        },
    ),
];

/// The headers of "Headers", to the letter but for the signature.
fn sent(kind: &str, payload: &str) -> Request {
    Request::post("/webhooks/platform", payload)
        .header("Host", "your-app.com")
        .header("X-Platform-Event", kind)
        .header("X-Platform-Signature", format!("sha256={}", hex_sha256(PLATFORM.as_bytes(), payload.as_bytes())))
        .header("X-Platform-Delivery", "delivery_456")
        .header("User-Agent", "Platform-Webhooks/1.0")
}

#[tokio::test]
async fn document_d_shows_four_payloads_and_each_has_its_effect() {
    let stage = Stage::set(QueueKind::Store).await;
    for (kind, Example { section, payload }) in &EXAMPLES {
        ends(&stage, section, &sent(kind, payload), "succeeded").await;
        // "Implement idempotency using the webhook ID": one delivery's header is another's, and it is the same event.
        let again = sent(kind, payload).replacing("X-Platform-Delivery", "delivery_457");
        assert_eq!(stage.send(&again).await.header("idempotent-replayed"), Some("true"), "{section}");
    }
    let rows = [
        ("select id || ' ' || permissions::text from platform_user", "user_789 {read,write}"),
        ("select user_id || ' ' || state || ' ' || token_type from platform_token", "user_789 active access_token"),
        ("select endpoint || ' ' || exceeded_by from platform_rate_limit_violation", "/v2/users/me 50"),
    ];
    for (row, expected) in rows {
        let found = stage.database.column(row).await;
        let same = |text: &str| text.replace(['[', ']', '{', '}', '"', ' '], "");
        assert_eq!(found.iter().map(|text| same(text)).collect::<Vec<_>>(), [same(expected)]);
    }
    // "Signature verification": the sample's own signature is no signature of anything.
    let (kind, Example { section, payload }) = &EXAMPLES[0];
    let forged = sent(kind, payload).replacing("X-Platform-Signature", "sha256=abc123...");
    assert_eq!(stage.send(&forged).await.status, 401, "{section}");
    let unsigned = sent(kind, payload).without("X-Platform-Signature");
    is_refused(&stage, section, &unsigned, 401, &json!({"detail": "Missing webhook signature"})).await;
}
