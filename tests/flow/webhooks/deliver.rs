//! From a platform's event to a subscriber's endpoint.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

use lychgate_tests::{
    eventually,
    receiver::Answer,
    sender::{hex_sha256, platform_body},
    stage::{self},
    unique,
    vendors::Sdk,
};

use super::*;

on_both!(
    an_event_arrives_in_the_documents_envelope_with_the_documents_headers,
    an_event_is_told_once_although_its_message_comes_twice_and_its_worker_is_killed,
    what_is_not_taken_climbs_the_schedule_then_is_dead_and_can_be_resent,
    only_what_was_subscribed_to_is_told_and_deliveries_are_told_to_nobody,
);

async fn an_event_arrives_in_the_documents_envelope_with_the_documents_headers(kind: QueueKind) {
    let receiver = Receiver::start(|_| Answer::status(204)).await;
    let stage = stage(kind).await;
    let (id, secret) = subscribe(&stage, &format!("{}/hooks?tenant=7", receiver.url()), &["user.created"]).await;
    // As a sender writes it: what JavaScript would write otherwise must verify, too.
    let data = r#"{"user":{"id":"user_789","username":"j@example.com","balance":1.50,"tiny":1e-7,"10":"b","2":"a"}}"#;
    let text =
        format!(r#"{{"id":"{}","event":"user.created","timestamp":"2024-01-15T10:30:00Z","data":{data}}}"#, unique());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent = platform(PLATFORM, text.into_bytes()).header("traceparent", trace);
    let event = stage.send(&sent).await.event_id();
    stage.becomes(event, "succeeded").await;
    let of_it = eventually("there is a delivery", async || match deliveries(&stage, event).await.as_slice() {
        [one] => Ok(*one),
        other => Err(format!("{other:?}")),
    })
    .await;
    stage.becomes(of_it, "succeeded").await;

    let received = told(&receiver, event);
    assert_eq!(received.len(), 1);
    let received = &received[0];
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/hooks?tenant=7"));
    let body = std::str::from_utf8(&received.body).unwrap();
    let expected = format!(
        r#"{{"id":"{event}","event":"user.created","timestamp":"2024-01-15T10:30:00Z","data":{{"user":{{"2":"a","10":"b","id":"user_789","username":"j@example.com","balance":1.5,"tiny":1e-7}}}},"api_version":"2.1.0"}}"#
    );
    assert_eq!(body, expected);
    let delivery = of_it.to_string();
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "Platform-Webhooks/1.0"),
        ("x-platform-event", "user.created"),
        ("x-platform-delivery", &delivery),
        ("webhook-id", &delivery),
        ("x-platform-signature", &format!("sha256={}", hex_sha256(secret.as_bytes(), &received.body))),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    assert!(received.header("traceparent").unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));

    let shown = ask(&stage, "GET", &format!("/{id}/deliveries"), Value::Null).await.json();
    let shown = &shown["deliveries"][0];
    assert_eq!(
        (&shown["id"], &shown["event_id"], &shown["status"]),
        (&json!(of_it), &json!(event), &json!("succeeded"))
    );
    assert_eq!(shown["attempts"][0]["response_status"], 204);
    let one = ask(&stage, "GET", &format!("/{id}/deliveries/{of_it}"), Value::Null).await.json();
    assert_eq!(&one, shown);
    let other = ask(&stage, "POST", &format!("/{id}/deliveries/{of_it}/resend"), Value::Null).await;
    assert_eq!(other.status, 202, "one that arrived can be had again");
    eventually("it came again, under the same ids", async || match told(&receiver, event).as_slice() {
        [first, second] if second.body == first.body => {
            assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
            Ok(())
        }
        other => Err(other.len().to_string()),
    })
    .await;
}

#[tokio::test]
async fn the_documents_own_verifier_and_the_libraries_of_standard_webhooks_take_it_and_nothing_changed() {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let stage = stage(QueueKind::Store).await;
    let (id, secret) = subscribe(&stage, &receiver.url(), &["*"]).await;
    let data = json!({"user": {"id": "u1", "username": "é\u{2028}\"/\u{7}", "score": 1e21, "ratio": 0.1, "count": 3.0, "7": 1}});
    let body = platform_body(&unique(), "user.created", &data);
    let event = stage.send(&platform(PLATFORM, body)).await.event_id();
    let received = eventually("it was told", async || told(&receiver, event).pop().ok_or_else(String::new)).await;
    let headers = serde_json::to_value(received.headers.iter().cloned().collect::<BTreeMap<_, _>>()).unwrap();
    let body = std::str::from_utf8(&received.body).unwrap();
    let node = Sdk::node();
    assert_eq!(node.verify("platform", &secret, &headers, body), Ok(()));
    assert!(node.verify("platform", &secret, &headers, &body.replace("u1", "u2")).is_err());
    for sdk in [node, Sdk::python()] {
        assert_eq!(sdk.verify("standard-webhooks", &secret, &headers, body), Ok(()));
        assert!(sdk.verify("standard-webhooks", &secret, &headers, &body.replace("u1", "u2")).is_err());
    }
    drop(id);
}

async fn an_event_is_told_once_although_its_message_comes_twice_and_its_worker_is_killed(kind: QueueKind) {
    let receiver =
        Receiver::start(|_| Answer { after: std::time::Duration::from_millis(20), ..Answer::status(200) }).await;
    let mut stage = Stage::set_with(kind, &settings("").replace("grace = \"30s\"", "grace = \"2s\"")).await;
    subscribe(&stage, &receiver.url(), &["user.*"]).await;
    let mut events = Vec::new();
    for n in 0..60 {
        events.push(user_created(&stage, &format!("user_{n}")).await);
        if n % 20 == 10 {
            // Copies of every message that is still open, and a worker that dies of nothing.
            let copies = "update event_state set due_at = '-infinity', leased = false where finished_at is null";
            stage.database.connect().await.batch_execute(copies).await.unwrap();
            let next = stage::worker(&stage.settings);
            std::mem::replace(&mut stage.worker, next).kill9();
            stage.worker.ready().await;
        }
    }
    for event in &events {
        stage.becomes(*event, "succeeded").await;
        let of_it = deliveries(&stage, *event).await;
        assert_eq!(of_it.len(), 1, "{event}");
        stage.becomes(of_it[0], "succeeded").await;
        assert!(!told(&receiver, *event).is_empty(), "{event}");
    }
    let all = "select count(*) from event where source = 'webhooks'";
    assert_eq!(stage.database.count(all).await, 60);
    assert_eq!(stage.database.count("select count(*) from webhook_delivery").await, 60);
}

async fn what_is_not_taken_climbs_the_schedule_then_is_dead_and_can_be_resent(kind: QueueKind) {
    let answer = Arc::new(AtomicU16::new(503));
    let says = Arc::clone(&answer);
    let receiver = Receiver::start(move |_| Answer::status(says.load(Ordering::SeqCst))).await;
    let stage = stage(kind).await;
    let (id, _) = subscribe(&stage, &receiver.url(), &["*"]).await;
    let event = user_created(&stage, "u1").await;
    let one =
        eventually("there is a delivery", async || deliveries(&stage, event).await.pop().ok_or_else(String::new)).await;
    stage.becomes(one, "dead").await;
    assert_eq!(told(&receiver, event).len(), 6, "the first attempt and the document's five retries");
    let shown = ask(&stage, "GET", &format!("/{id}"), Value::Null).await.json();
    assert_eq!(shown["status"], "failing");
    let told_again = ask(&stage, "PUT", &format!("/{id}"), json!({"events": ["*"], "active": true})).await.json();
    assert_eq!(told_again["failing_since"], shown["failing_since"], "it was active, and fails still");

    answer.store(200, Ordering::SeqCst);
    let path = format!("/{id}/deliveries/{one}/resend");
    assert_eq!(ask(&stage, "POST", &path, Value::Null).await.status, 202);
    stage.becomes(one, "succeeded").await;
    assert_eq!(stage.database.count("select count(*) from dead_letter").await, 0);
    let shown = ask(&stage, "GET", &format!("/{id}"), Value::Null).await.json();
    assert_eq!((&shown["status"], &shown["failing_since"]), (&json!("active"), &Value::Null));

    // A refusal is final, and an operator's replay is the same as a resend.
    answer.store(422, Ordering::SeqCst);
    let event = user_created(&stage, "u2").await;
    let two =
        eventually("there is a delivery", async || deliveries(&stage, event).await.pop().ok_or_else(String::new)).await;
    stage.becomes(two, "dead").await;
    assert_eq!(told(&receiver, event).len(), 1);
    let rehearsed = stage.lychgate(&["dead-letters", "rehearse", &two.to_string(), "--json"]);
    assert!(rehearsed.code == 0 && rehearsed.out.contains("would_be_delivered_to"), "{rehearsed:?}");
    assert_eq!(told(&receiver, event).len(), 1, "a rehearsal calls nobody");
    answer.store(200, Ordering::SeqCst);
    let replayed = stage.lychgate(&["dead-letters", "replay", "--id", &two.to_string(), "--yes", "--reason", "fixed"]);
    assert_eq!(replayed.code, 0, "{}{}", replayed.out, replayed.err);
    stage.becomes(two, "succeeded").await;
}

async fn only_what_was_subscribed_to_is_told_and_deliveries_are_told_to_nobody(kind: QueueKind) {
    let receivers = [Receiver::start(|_| Answer::status(200)).await, Receiver::start(|_| Answer::status(200)).await];
    let stage = stage(kind).await;
    let [users, github] = &receivers;
    subscribe(&stage, &users.url(), &["user.*"]).await;
    let of_github = json!({"url": github.url(), "events": ["*"], "sources": ["github"]});
    assert_eq!(ask(&stage, "POST", "", of_github).await.status, 201);
    let paused = json!({"url": users.url(), "events": ["*"], "active": false});
    assert_eq!(ask(&stage, "POST", "", paused).await.status, 201);

    let created = user_created(&stage, "u1").await;
    let token = json!({"token": {"user_id": "u1", "token_type": "access_token", "expires_at": "2030-01-01T00:00:00Z"}});
    let token = stage.send(&platform(PLATFORM, platform_body(&unique(), "token.created", &token))).await.event_id();
    let push = br#"{"ref": "refs/heads/main"}"#;
    let signature = hex_sha256(lychgate_tests::settings::secrets::GITHUB.as_bytes(), push);
    let push = Request::post("/in/github", push)
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .header("X-GitHub-Event", "push")
        .header("X-GitHub-Delivery", unique());
    let push = stage.send(&push).await.event_id();
    stage.becomes(push, "ignored").await;
    stage.becomes(token, "succeeded").await;
    stage.becomes(created, "succeeded").await;
    let open = "select count(*) from event_state where finished_at is null";
    eventually("all is done", async || match stage.database.count(open).await {
        0 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!((told(users, created).len(), users.seen().len()), (1, 1));
    assert_eq!((told(github, push).len(), github.seen().len()), (1, 1), "what no handler wants is told all the same");
    let body: Value = serde_json::from_slice(&github.seen()[0].body).unwrap();
    assert_eq!((&body["event"], &body["data"]), (&json!("push"), &json!({"ref": "refs/heads/main"})));
    assert_eq!(stage.database.count("select count(*) from event where source = 'webhooks'").await, 2);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_or_takes_nothing_for_long_is_disabled_and_then_told_nothing() {
    let gone = Arc::new(AtomicBool::new(true));
    let says = Arc::clone(&gone);
    let leaver = Receiver::start(move |_| Answer::status(if says.load(Ordering::SeqCst) { 410 } else { 200 })).await;
    let broken = Receiver::start(|_| Answer::status(500)).await;
    let mut stage = Stage::set_with(QueueKind::Store, &settings("disable_after = \"1s\"")).await;
    let (left, _) = subscribe(&stage, &leaver.url(), &["user.*"]).await;
    let (failing, _) = subscribe(&stage, &broken.url(), &["user.*"]).await;
    let event = user_created(&stage, "u1").await;
    for (id, reason) in [(&left, "410 Gone"), (&failing, "500")] {
        let shown = eventually("it is disabled", async || {
            let shown = ask(&stage, "GET", &format!("/{id}"), Value::Null).await.json();
            if shown["status"] == "disabled" { Ok(shown) } else { Err(shown.to_string()) }
        })
        .await;
        assert_eq!(shown["active"], false);
        assert!(shown["disabled_reason"].as_str().unwrap().contains(reason), "{shown}");
    }
    assert_eq!(told(&leaver, event).len(), 1);
    let of_it = deliveries(&stage, event).await;
    stage.becomes(of_it[0], "dead").await;
    // Those of the other end as ignored: its owner can have them again.
    stage.becomes(of_it[1], "ignored").await;
    eventually("the metrics say so", async || {
        match stage.worker.metric("lychgate_webhooks", &[("status", "disabled")]).await {
            2.0 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;

    let unheard = user_created(&stage, "u2").await;
    stage.becomes(unheard, "succeeded").await;
    assert_eq!(deliveries(&stage, unheard).await.len(), 0);
    gone.store(false, Ordering::SeqCst);
    let back = ask(&stage, "PUT", &format!("/{left}"), json!({"active": true})).await.json();
    assert_eq!((&back["status"], &back["disabled_reason"]), (&json!("active"), &Value::Null));
    eventually("it is told again", async || {
        let event = user_created(&stage, &unique()).await;
        stage.becomes(event, "succeeded").await;
        match deliveries(&stage, event).await.first() {
            Some(one) => {
                stage.becomes(*one, "succeeded").await;
                Ok(())
            }
            None => Err("nobody was told".to_owned()),
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_alone_and_its_neighbour_on_the_same_host_is_not() {
    let host = Receiver::start(|asked| Answer::status(if asked.path == "/bad" { 503 } else { 200 })).await;
    let settings = settings("").replace("breaker_failures = 1000", "breaker_failures = 2\nbreaker_pause = \"1h\"");
    let mut stage = Stage::set_with(QueueKind::Store, &settings).await;
    subscribe(&stage, &format!("{}/bad", host.url()), &["*"]).await;
    subscribe(&stage, &format!("{}/good", host.url()), &["*"]).await;
    let of = |path: &str| host.seen().iter().filter(|one| one.path == path).count();
    for n in 1..=6 {
        user_created(&stage, &format!("user_{n}")).await;
        eventually(
            "the good one is told",
            async || if of("/good") == n { Ok(()) } else { Err(of("/good").to_string()) },
        )
        .await;
    }
    eventually("the bad one is left alone", async || {
        match stage.worker.metric("lychgate_breakers", &[("class", "webhooks"), ("state", "open")]).await {
            1.0 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    assert!(of("/bad") < 6, "{}", of("/bad"));
}

#[tokio::test]
async fn a_body_too_large_for_the_queue_arrives_whole() {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let stage = stage(QueueKind::Broker).await;
    let (_, secret) = subscribe(&stage, &receiver.url(), &["*"]).await;
    let data = json!({"user": {"id": "u1", "username": "u1@example.com", "about": "x".repeat(300_000)}});
    let event = stage.send(&platform(PLATFORM, platform_body(&unique(), "user.created", &data))).await.event_id();
    let received = eventually("it was told", async || told(&receiver, event).pop().ok_or_else(String::new)).await;
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["data"], data);
    let signature = format!("sha256={}", hex_sha256(secret.as_bytes(), &received.body));
    assert_eq!(received.header("x-platform-signature"), Some(signature.as_str()));
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation_and_the_documents_signature_changes_when_it_ends() {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let stage = stage(QueueKind::Store).await;
    let (id, old) = subscribe(&stage, &receiver.url(), &["*"]).await;
    let rotate = async |overlap: u64| {
        let reply = ask(&stage, "POST", &format!("/{id}/rotate-secret"), json!({"overlap_seconds": overlap})).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        reply.json()["secret"].as_str().unwrap().to_owned()
    };
    let received = async |name: &str| {
        let event = user_created(&stage, name).await;
        eventually("it was told", async || told(&receiver, event).pop().ok_or_else(String::new)).await
    };
    let node = Sdk::node();
    let takes = |provider: &str, secret: &str, received: &Received| {
        let headers = serde_json::to_value(received.headers.iter().cloned().collect::<BTreeMap<_, _>>()).unwrap();
        node.verify(provider, secret, &headers, std::str::from_utf8(&received.body).unwrap()).is_ok()
    };
    let new = rotate(3600).await;
    let during = received("during").await;
    assert!(takes("standard-webhooks", &old, &during) && takes("standard-webhooks", &new, &during));
    assert!(takes("platform", &old, &during), "the receiver may not know the new one yet");
    let newest = rotate(0).await;
    let after = received("after").await;
    assert!(takes("standard-webhooks", &newest, &after) && takes("platform", &newest, &after));
    for past in [&old, &new] {
        assert!(!takes("standard-webhooks", past, &after) && !takes("platform", past, &after));
    }
}

#[tokio::test]
async fn a_private_address_is_refused_at_the_connection_and_no_redirect_is_followed() {
    let secret_service = Receiver::start(|_| Answer::status(200)).await;
    let stage = Stage::set_with(QueueKind::Store, &settings("").replace("allow_private = true", "")).await;
    // An address that pointed elsewhere when it was registered.
    let (id, _) = subscribe(&stage, "https://hooks.example.com/", &["*"]).await;
    let moved = secret_service.url().replace("127.0.0.1", "localhost");
    let moved = format!("update webhook set url = '{moved}' where id = '{id}'");
    stage.database.connect().await.batch_execute(&moved).await.unwrap();
    let event = user_created(&stage, "u1").await;
    let one =
        eventually("there is a delivery", async || deliveries(&stage, event).await.pop().ok_or_else(String::new)).await;
    stage.becomes(one, "dead").await;
    let class = format!("select class from dead_letter where event_id = '{one}'");
    assert_eq!(stage.database.column(&class).await, ["forward_forbidden"]);
    assert!(secret_service.seen().is_empty());

    let stage = super::stage(QueueKind::Store).await;
    let to = secret_service.url();
    let bouncing = Receiver::start(move |_| Answer::status(307).header("location", &to)).await;
    subscribe(&stage, &bouncing.url(), &["*"]).await;
    let event = user_created(&stage, "u1").await;
    let one =
        eventually("there is a delivery", async || deliveries(&stage, event).await.pop().ok_or_else(String::new)).await;
    stage.becomes(one, "dead").await;
    assert!(secret_service.seen().is_empty());
}
