//! Bad input gets its clear answer, and leaves nothing behind.

use std::time::Duration;

use lychgate_tests::{
    eventually,
    http::{Connection, Reply, Request},
    sender::{Spoiled, github, now, platform, platform_user_created, spoil, standard_webhooks, stripe, stripe_body},
    settings::secrets::{GITHUB, PLATFORM, STANDARD, STRIPE},
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::json;

/// Asserts a refusal: the status exactly, the words where they matter, and no event.
async fn refused(stage: &Stage, what: &str, reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    assert!(reply.detail().contains(words), "{what}: {:?} does not say {words:?}", reply.detail());
    assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
    assert_eq!(stage.database.count("select count(*) from event").await, 0, "{what} left an event behind");
}

#[tokio::test]
async fn a_spoiled_signature_is_refused() {
    let stage = Stage::set(QueueKind::Store).await;
    let body = || platform_user_created("webhook_bad", "user_bad");
    for how in Spoiled::ALL {
        let reply = stage.send(&spoil(how, "X-Platform-Signature", PLATFORM, body(), platform)).await;
        let words = match how {
            Spoiled::Missing | Spoiled::Empty => "Missing webhook signature",
            // Hex is hex in either case: real senders write both. (Document B asks for lower case, and its senders are
            // held to it: `faithflow.rs`.)
            Spoiled::UpperCase => {
                assert!(reply.is_success(), "{reply:?}");
                stage.database.connect().await.batch_execute("truncate event, event_state, dedup_key").await.unwrap();
                continue;
            }
            Spoiled::OtherSecret
            | Spoiled::OtherBody
            | Spoiled::Truncated
            | Spoiled::Twice
            | Spoiled::Garbage
            | Spoiled::NotText => "Invalid webhook signature",
        };
        refused(&stage, &format!("{how:?}"), &reply, 401, words).await;
    }
    let logged = "select count(*) from delivery_log where outcome = 'refused' and not authentic";
    eventually("every refusal can be found", async || match stage.database.count(logged).await {
        8 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
}

#[tokio::test]
async fn a_signature_that_is_too_old_or_from_the_future_is_refused() {
    let stage = Stage::set(QueueKind::Store).await;
    let body = || stripe_body("evt_time", "invoice.paid", &json!({"id": "in_1", "object": "invoice"}));
    for (ago, words) in [(600, "too old"), (-600, "in the future")] {
        let reply = stage.send(&stripe(STRIPE, now() - ago, body())).await;
        refused(&stage, "stripe", &reply, 401, words).await;
        let reply = stage.send(&standard_webhooks("/in/std", STANDARD, "msg_1", now() - ago, body())).await;
        refused(&stage, "standard-webhooks", &reply, 401, words).await;
    }
    let reply = stage.send(&stripe(STRIPE, now() - 60, body())).await;
    assert!(reply.is_success(), "a minute is nothing: {reply:?}");
}

#[tokio::test]
async fn a_body_that_is_no_event_is_refused() {
    let stage = Stage::set(QueueKind::Store).await;
    let deep = format!("{{\"id\":\"w\",\"event\":\"user.created\",\"data\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let of = |kind: &str, data: &str| format!(r#"{{"id":"w","event":"{kind}","data":{data}}}"#).into_bytes();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("empty", Vec::new(), "not valid JSON"),
        ("not JSON", b"hello".to_vec(), "not valid JSON"),
        ("cut off", br#"{"id":"w","event":"user.cre"#.to_vec(), "not valid JSON"),
        ("not UTF-8", b"{\"id\":\"w\xff\xfe\",\"event\":\"user.created\",\"data\":{}}".to_vec(), "not valid JSON"),
        ("nested", deep.into_bytes(), "nested too deeply"),
        ("no data", of("user.created", "{}"), "Missing /data/user/id in payload"),
        ("no object", of("user.login", "[]"), "Invalid /data in payload: it must be an object, and is a list"),
        (
            "no number",
            of("api.rate_limit_exceeded", r#"{"rate_limit":{"endpoint":"/v2","limit":{},"window":1,"exceeded_by":1}}"#),
            "Invalid /data/rate_limit/limit in payload: it must be a whole number, and is an object",
        ),
        (
            "no time",
            of("token.created", r#"{"token":{"user_id":"u","token_type":"t","expires_at":"soon"}}"#),
            "Invalid /data/token/expires_at in payload: it must be an ISO 8601 time",
        ),
        ("without id", br#"{"event":"user.created","data":{}}"#.to_vec(), "Missing /id in payload"),
        ("NUL in the key", br#"{"id":"w\u0000x","event":"user.moved","data":{}}"#.to_vec(), "printable ASCII"),
        (
            "key of 10 kB",
            format!(r#"{{"id":"{}","event":"user.moved","data":{{}}}}"#, "k".repeat(10_000)).into_bytes(),
            "too long",
        ),
    ];
    for (what, body, words) in cases {
        let reply = stage.send(&platform(PLATFORM, body)).await;
        refused(&stage, what, &reply, 400, words).await;
    }
    let reply = stage
        .send(
            &platform(PLATFORM, platform_user_created("webhook_x", "u")).replacing("X-Platform-Event", "user.deleted"),
        )
        .await;
    refused(&stage, "header and body disagree", &reply, 400, "mismatch").await;
    let long = github("/in/github", GITHUB, &"k".repeat(10_000), "push", b"{}".to_vec());
    refused(&stage, "header key of 10 kB", &stage.send(&long).await, 400, "too long").await;
    let long = github("/in/github", GITHUB, &"k".repeat(300), "push", b"{}".to_vec());
    refused(&stage, "header key of 300 bytes", &stage.send(&long).await, 400, "255 bytes").await;
}

#[tokio::test]
async fn a_request_of_the_wrong_form_is_refused() {
    let stage = Stage::set(QueueKind::Store).await;
    let good = || platform(PLATFORM, platform_user_created("webhook_form", "user_form"));
    let send = async |request: Request| request.send(stage.address).await.unwrap();

    let reply = send(good().replacing("Content-Type", "text/plain")).await;
    refused(&stage, "content type", &reply, 415, "application/json").await;
    let reply = send(good().without("Content-Type")).await;
    assert!(matches!(reply.status, 200 | 202 | 415), "no content type: {reply:?}");
    stage.database.connect().await.batch_execute("truncate event, event_state, dedup_key").await.unwrap();
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let reply = send(good().header("Content-Encoding", encoding)).await;
        refused(&stage, encoding, &reply, 415, "uncompressed").await;
    }
    let reply = send(Request { path: "/webhooks/nowhere".into(), ..good() }).await;
    refused(&stage, "unknown path", &reply, 404, "No webhook endpoint").await;
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let reply = send(Request { method: method.into(), ..good() }.header("Content-Length", "0").without("x")).await;
        refused(&stage, method, &reply, 405, "POST").await;
        assert!(reply.header("allow").is_some_and(|allow| allow.contains("POST")), "{method}: {reply:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_its_length_is_declared_or_not() {
    let stage = Stage::set(QueueKind::Store).await;
    let declared = platform(PLATFORM, Vec::new()).header("Content-Length", (100 << 20).to_string());
    let mut connection = Connection::open(stage.address).await.unwrap();
    connection.write(&declared.head()).await.unwrap();
    // Refused by its declaration: not one byte of it has to be sent.
    refused(&stage, "declared", &connection.read().await.unwrap(), 413, "too large").await;

    let chunked = platform(PLATFORM, Vec::new()).header("Transfer-Encoding", "chunked");
    let mut connection = Connection::open(stage.address).await.unwrap();
    connection.write(&chunked.head()).await.unwrap();
    let chunk = [format!("{:x}\r\n", 64 << 10).into_bytes(), vec![b'x'; 64 << 10], b"\r\n".to_vec()].concat();
    // Sends on until the refusal closes the connection under it; 4 MB are four times the limit.
    for _ in 0..64 {
        if connection.write(&chunk).await.is_err() {
            break;
        }
    }
    refused(&stage, "chunked", &connection.read().await.unwrap(), 413, "too large").await;
}

#[tokio::test]
async fn a_slow_sender_is_refused_and_holds_nobody_up() {
    let quick = QUICK.replace("[gateway]", "[gateway]\nheader_deadline = \"500ms\"\nbody_deadline = \"700ms\"");
    let stage = Stage::set_with(QueueKind::Store, &quick).await;
    let request = platform(PLATFORM, platform_user_created("webhook_slow", "user_slow"));

    let mut slow_body = Connection::open(stage.address).await.unwrap();
    slow_body.write(&request.head()).await.unwrap();
    slow_body.write(&request.body[..10]).await.unwrap();
    let mut slow_head = Connection::open(stage.address).await.unwrap();
    slow_head.write(b"POST /webhooks/platform HTTP/1.1\r\nHost: x\r\n").await.unwrap();

    let reply = slow_body.read().await.unwrap();
    refused(&stage, "slow body", &reply, 408, "in time").await;
    // A head that never ends is cut off; hyper may answer 408 first.
    match slow_head.read().await {
        Ok(reply) => assert_eq!(reply.status, 408, "{reply:?}"),
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{error}"),
    }
    let idle = Connection::open(stage.address).await.unwrap();
    assert!(stage.send(&request).await.is_success(), "others are served meanwhile");
    drop(idle);
}

#[tokio::test]
async fn a_full_house_says_so_at_once_and_when_to_come_again() {
    let narrow = QUICK.replace("[gateway]", "[gateway]\nin_flight = 1");
    let stage = Stage::set_with(QueueKind::Store, &narrow).await;
    let request = platform(PLATFORM, platform_user_created("webhook_full", "user_full"));
    let mut first = Connection::open(stage.address).await.unwrap();
    first.write(&request.head()).await.unwrap();
    let full = eventually("the first request is in the house", async || match stage.send(&request).await {
        reply if reply.status == 503 => Ok(reply),
        reply => Err(format!("{reply:?}")),
    })
    .await;
    assert!(full.header("retry-after").is_some(), "{full:?}");
    first.write(&request.body).await.unwrap();
    assert!(first.read().await.unwrap().is_success(), "and the one inside is served");
}

#[tokio::test]
async fn a_source_takes_only_from_the_addresses_it_allows() {
    let secret = "an-allow-listed-secret-012345";
    let source = format!(
        "[[source]]\nname = \"near\"\npath = \"/in/near\"\nsecrets = [{secret:?}]\nallow = [\"192.0.2.0/24\"]\n"
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let reply = stage.send(&Request::post("/in/near", "{}")).await;
    refused(&stage, "a stranger's address", &reply, 403, "").await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let stage = Stage::set(QueueKind::Store).await;
    let request = platform(PLATFORM, platform_user_created("webhook_broken", "user_broken"));
    let mut connection = Connection::open(stage.address).await.unwrap();
    connection.write(&request.head()).await.unwrap();
    connection.write(&request.body[..10]).await.unwrap();
    connection.finish().await.unwrap();
    if let Ok(reply) = connection.read().await {
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert_eq!(stage.database.count("select count(*) from event").await, 0);
    assert!(stage.send(&request).await.is_success(), "the sender's retry is no duplicate");
}

#[tokio::test]
async fn failed_authentications_count_against_the_address() {
    let limit = r#"refused_rate = { requests = 5, per = "1m", burst = 5, on_limit = "reject" }"#;
    let stage = Stage::set_with(QueueKind::Store, &QUICK.replace("refused_rate = \"off\"", limit)).await;
    let wrong = platform("wrong secret", platform_user_created("webhook_guess", "u"));
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(stage.send(&wrong).await.status);
    }
    assert_eq!(statuses[..5], [401; 5], "{statuses:?}");
    assert_eq!(statuses[7], 429, "{statuses:?}");
    let reply = stage.send(&wrong).await;
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
}

#[tokio::test]
async fn over_its_rate_limit_a_source_is_told_when_to_come_again() {
    let stage = {
        let database = lychgate_tests::Database::fresh().await;
        let source = r#"
            [[source]]
            name = "limited"
            preset = "generic"
            path = "/in/limited"
            secrets = ["limited-secret-0123456789"]
            rate_limit = { requests = 3, per = "1m", burst = 3, on_limit = "reject" }
        "#;
        Stage::on(database, None, &format!("{QUICK}\n{source}")).await
    };
    let send = async |n: usize| {
        let body = format!("{{\"n\":{n}}}").into_bytes();
        let signature = lychgate_tests::sender::hex_sha256(b"limited-secret-0123456789", &body);
        let request = Request::post("/in/limited", body).header("X-Webhook-Signature", signature);
        request.send(stage.address).await.unwrap()
    };
    for n in 0..3 {
        let reply = send(n).await;
        assert!(reply.is_success(), "{reply:?}");
    }
    let reply = send(3).await;
    assert_eq!(reply.status, 429, "{reply:?}");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{reply:?}");
    assert!(reply.detail().contains("Rate limit exceeded"));
    tokio::time::timeout(Duration::from_secs(20), stage.send(&platform(PLATFORM, platform_user_created("w", "u"))))
        .await
        .expect("other sources are not held up");
}
