//! The log is for machines where it is told to be: one JSON object a line, and in none of them what must not get out.

use lychgate_tests::{
    Process, eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::{hex_sha256, platform, platform_body},
    settings::secrets::PLATFORM,
    stage::{QUICK, QueueKind, Stage},
    unique,
};
use serde_json::{Value, json};

/// Stands in every body, in a query and in a header.
const CANARY: &str = "canary-4b1d";
/// Of the source that forwards.
const SHOP: &str = "shop-secret-0123456789abcdef";
/// What its events are signed with on their way out.
const FORWARD: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a process has logged, line by line; standard output holds only the addresses.
fn lines(process: &Process) -> Vec<Value> {
    let output = process.output();
    let logged = output.lines().filter(|line| !line.starts_with("listen=") && !line.starts_with("ops="));
    logged
        .map(|line| match serde_json::from_str(line) {
            Ok(value @ Value::Object(_)) => value,
            other => panic!("not a JSON object ({other:?}): {line}"),
        })
        .collect()
}

fn shop(order: &str, body: &str) -> Request {
    Request::post(&format!("/in/shop?token={CANARY}"), body)
        .header("X-Webhook-Signature", hex_sha256(SHOP.as_bytes(), body.as_bytes()))
        .header("X-Webhook-Event", "order.paid")
        .header("Authorization", format!("Bearer {CANARY}"))
        .header("Idempotency-Key", order)
}

async fn every_line_is_an_object_and_none_tells_a_body_a_secret_or_a_signature(kind: QueueKind) {
    let receiver = Receiver::start(|request| {
        let gone = String::from_utf8_lossy(&request.body).contains("nobody");
        Answer { body: CANARY.into(), ..Answer::status(if gone { 410 } else { 503 }) }
    })
    .await;
    let source = format!(
        "{QUICK}[log]\nformat = \"json\"\nlevel = \"debug\"\n\
         [forward]\ntimeout = \"2s\"\n\
         [[source]]\nname = \"shop\"\npath = \"/in/shop\"\nsecrets = [{SHOP:?}]\nrate_limit = \"off\"\n\
         forward = [{:?}]\nforward_secret = \"whsec_{FORWARD}\"\nforward_private = true\n",
        receiver.url()
    );
    let stage = Stage::set_with(kind, &source).await;
    let user = |id: &str| {
        let data = json!({"user": {"id": id, "username": CANARY, "email": format!("{CANARY}@example.com")}});
        platform_body(id, "user.created", &data)
    };
    let good = platform(PLATFORM, user("u1"));
    let mut signatures = vec![good.value("X-Platform-Signature").unwrap()];
    let id = stage.send(&good).await.event_id();
    stage.becomes(id, "succeeded").await;
    assert_eq!(stage.send(&good).await.header("idempotent-replayed"), Some("true"));

    let conflict =
        platform(PLATFORM, platform_body("u1", "user.created", &json!({"user": {"id": CANARY, "username": "u"}})));
    let stranger = platform("another-secret", user("u2"));
    let broken = platform(PLATFORM, format!("{{\"id\": \"{CANARY}").into_bytes());
    let empty = platform(PLATFORM, platform_body("u3", "user.created", &json!({"name": CANARY})));
    let large = platform(PLATFORM, CANARY.repeat(200_000).into_bytes());
    for (request, status) in [(&conflict, 422), (&stranger, 401), (&broken, 400), (&empty, 400), (&large, 413)] {
        signatures.extend(request.value("X-Platform-Signature"));
        let reply = stage.send(request).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    for (body, order) in [("nobody", unique()), ("busy", unique())] {
        let request = shop(&order, &format!("{{\"{body}\": \"{CANARY}\"}}"));
        signatures.extend(request.value("X-Webhook-Signature"));
        let id = stage.send(&request).await.event_id();
        stage.becomes(id, "dead").await;
    }
    let refused = "select count(*) from delivery_log where outcome = 'refused'";
    eventually("the refusals are written", async || match stage.database.count(refused).await {
        // The conflict has a line of another kind.
        4.. => Ok(()),
        other => Err(other.to_string()),
    })
    .await;

    let secrets = [CANARY, PLATFORM, SHOP, FORWARD].into_iter().chain(signatures.iter().map(String::as_str));
    let secrets: Vec<&str> = secrets.collect();
    for process in [&stage.gateway, &stage.worker] {
        let lines = lines(process);
        assert_eq!(lines[0]["message"], "starting", "{:?}", lines[0]);
        for line in &lines {
            let words = ["timestamp", "level", "target"];
            assert!(words.iter().all(|word| line[word].is_string()), "{line}");
            let told = secrets.iter().find(|secret| line.to_string().contains(**secret));
            assert_eq!(told, None, "{line}");
        }
    }
}

on_both!(every_line_is_an_object_and_none_tells_a_body_a_secret_or_a_signature);
