//! What Plaid signs, its keys handed out by a small server that follows Plaid's reference of
//! `/webhook_verification_key/get`: asked with our credentials, once for a crowd, and not again and again for strangers.

use lychgate_tests::{
    http::Request,
    receiver::{Answer, Received, Receiver},
    sender::now,
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::{Draft, Sdk},
};
use serde_json::{Value, json};

const CLIENT: &str = "5a1b2c3d4e5f60718293a4b5";
const SECRET: &str = "plaid-secret-0123456789abcdef";

/// Hands out one public key under several names, each with a fate of its own.
async fn plaid(set: &str) -> Receiver {
    let set: Value = serde_json::from_str(set).unwrap();
    let mut key = set["keys"][0].clone();
    key["created_at"] = json!(1_700_000_000);
    Receiver::start(move |asked| hand_out(asked, &key)).await
}

fn hand_out(asked: &Received, key: &Value) -> Answer {
    let refused = |code: &str| Answer::json(400, &json!({"error_type": "INVALID_INPUT", "error_code": code}));
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    if asked.path != "/webhook_verification_key/get" || asked.method != "POST" {
        return Answer::status(404);
    }
    if question["client_id"] != CLIENT || question["secret"] != SECRET {
        return refused("INVALID_API_KEYS");
    }
    let mut key = key.clone();
    key["kid"] = question["key_id"].clone();
    key["expired_at"] = Value::Null;
    match question["key_id"].as_str() {
        Some("good" | "next") => {}
        Some("expired") => key["expired_at"] = json!(1_700_000_001),
        Some("in-trouble") => return Answer::status(500),
        _ => return refused("INVALID_WEBHOOK_VERIFICATION_KEY_ID"),
    }
    Answer::json(200, &json!({"key": key, "request_id": "RZ6Omi1bzzwDaLo"}))
}

fn source(name: &str, url: &str, secret: &str) -> String {
    format!(
        "[[source]]\nname = {name:?}\npreset = \"plaid\"\npath = \"/v/{name}\"\n\
         key_api = {{ url = {url:?}, client_id = {CLIENT:?}, secret = {secret:?}, loopback = true }}\n"
    )
}

fn update() -> String {
    json!({"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE", "item_id": unique()}).to_string()
}

fn signed(sdk: &Sdk, provider: &str, kid: &str, time: i64, body: &str) -> Request {
    let headers = sdk.sign(provider, &Draft { secret: "", id: kid, time, url: "", body });
    headers
        .iter()
        .fold(Request::post("/v/plaid", body), |request, (name, value)| request.replacing(name, value.as_bytes()))
}

#[tokio::test]
async fn plaid_s_key_is_asked_for_by_its_id_and_what_it_signs_is_accepted_for_five_minutes() {
    let sdk = Sdk::node();
    let api = plaid(&sdk.published("plaid")).await;
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{}", source("plaid", &api.url(), SECRET))).await;
    let crowd: Vec<_> = (0..8).map(|_| signed(&sdk, "plaid", "good", now(), &update())).collect();
    for reply in futures_util::future::join_all(crowd.iter().map(|request| stage.send(request))).await {
        assert_eq!(reply.status, 200, "{}", reply.detail());
    }
    assert_eq!(api.seen().len(), 1, "a crowd asks once");
    let kind = "select count(*) from event where kind = 'TRANSACTIONS.SYNC_UPDATES_AVAILABLE'";
    assert_eq!(stage.database.count(kind).await, 8);

    // A copy is known again; signed anew, an equal body is another event.
    assert_eq!(stage.send(&crowd[0]).await.header("idempotent-replayed"), Some("true"));
    let body = String::from_utf8(crowd[0].body.clone()).unwrap();
    let anew = stage.send(&signed(&sdk, "plaid", "good", now() - 7, &body)).await;
    assert_eq!((anew.status, anew.header("idempotent-replayed")), (200, None));

    let mut flipped = signed(&sdk, "plaid", "good", now(), &update());
    let last = flipped.body.len() - 3;
    flipped.body[last] ^= 1;
    for (what, request, detail) in [
        ("a flipped byte", flipped, "is not the SHA-256 of this body"),
        ("six minutes", signed(&sdk, "plaid", "good", now() - 360, &update()), "too long ago"),
        ("another key", signed(&sdk, "plaid-stranger", "good", now(), &update()), "no key of this source"),
        ("an expired key", signed(&sdk, "plaid", "expired", now(), &update()), "not among those"),
        ("nobody's key", signed(&sdk, "plaid", "nobody-s", now(), &update()), "not among those"),
        ("no token", signed(&sdk, "plaid", "good", now(), &update()).without("plaid-verification"), "Missing"),
    ] {
        let reply = stage.send(&request).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.detail());
        assert!(reply.detail().contains(detail), "{what}: {}", reply.detail());
    }
    let asked = api.seen().len();
    assert_eq!(asked, 3, "for good, expired and nobody-s, once each");
    // Within the cool-down, strangers make nobody ask; and the next key is there at once.
    for _ in 0..3 {
        assert_eq!(stage.send(&signed(&sdk, "plaid", "nobody-s", now(), &update())).await.status, 401);
    }
    assert_eq!(api.seen().len(), asked);
    assert_eq!(stage.send(&signed(&sdk, "plaid", "next", now(), &update())).await.status, 200);
    // Neither the token nor our credentials are kept or said anywhere.
    let kept = "select count(*) from event where headers::text like '%plaid-verification%'";
    assert_eq!(stage.database.count(kept).await, 0);
    assert!(!stage.gateway.output().contains(SECRET));
}

#[tokio::test]
async fn an_interface_in_trouble_and_wrong_credentials_of_ours_are_not_the_sender_s_fault() {
    let sdk = Sdk::node();
    let api = plaid(&sdk.published("plaid")).await;
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{}", source("plaid", &api.url(), SECRET))).await;
    let trouble = stage.send(&signed(&sdk, "plaid", "in-trouble", now(), &update())).await;
    assert_eq!((trouble.status, trouble.header("retry-after").is_some()), (503, true), "{}", trouble.detail());
    assert_eq!(stage.send(&signed(&sdk, "plaid", "good", now(), &update())).await.status, 200);
    let unknown = Stage::set_with(QueueKind::Store, &format!("{QUICK}{}", source("plaid", &api.url(), "wrong"))).await;
    let refused = unknown.send(&signed(&sdk, "plaid", "good", now(), &update())).await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{}", refused.detail());
}
