//! The management interface, through the real gateway: every page, every status; and the command line beside it.

use lychgate_tests::{Postgres, http::Connection};
use serde_json::{Value, json};

use super::*;

const HOOK: &str = "https://your-app.com/webhooks/platform";

#[tokio::test]
async fn the_documents_calls_do_what_the_document_says() {
    let stage = stage(QueueKind::Store).await;
    let asked = json!({"url": HOOK, "events": ["user.created", "user.updated", "token.created"], "active": true});
    let made = ask(&stage, "POST", "", asked).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made_body = made.json();
    let id = made_body["id"].as_str().unwrap();
    assert!(id.starts_with("webhook_"));
    assert_eq!(made.header("location"), Some(format!("/v2/webhooks/{id}").as_str()));
    assert!(made_body["secret"].as_str().unwrap().starts_with("whsec_"));

    let listed = ask(&stage, "GET", "", Value::Null).await;
    assert_eq!((listed.status, listed.json()["webhooks"].as_array().unwrap().len()), (200, 1));
    assert_eq!(listed.json()["webhooks"][0]["secret"], Value::Null, "it was shown once");

    let change = json!({"events": ["user.created", "user.updated", "user.deleted"], "active": true});
    let changed = ask(&stage, "PUT", &format!("/{id}"), change).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["events"], json!(["user.created", "user.updated", "user.deleted"]));
    assert_eq!(changed.json()["url"], json!(HOOK), "what was not written stays");
    let paused = ask(&stage, "PUT", &format!("/{id}"), json!({"active": false, "sources": ["stripe"]})).await.json();
    assert_eq!((&paused["status"], &paused["sources"]), (&json!("paused"), &json!(["stripe"])));
    let shown = ask(&stage, "GET", &format!("/{id}"), Value::Null).await;
    assert_eq!(shown.json(), paused);
    assert_eq!(
        ask(&stage, "PUT", &format!("/{id}"), shown.json()).await.status,
        200,
        "what was shown can be sent back"
    );

    let tried = ask(&stage, "POST", "/test", json!({"webhook_id": id, "event": "user.created"})).await;
    assert_eq!((tried.status, &tried.json()["webhook_id"]), (202, &json!(id)));
    let deleted = ask(&stage, "DELETE", &format!("/{id}"), Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(ask(&stage, "GET", &format!("/{id}"), Value::Null).await.status, 404);
    let audit = stage.database.column(&format!("select action from audit where subject = '{id}' order by at")).await;
    let expected = ["create", "change", "change", "change", "test", "delete"].map(|deed| format!("webhook.{deed}"));
    assert_eq!(audit, expected);
    let actor = stage.database.column("select distinct actor from audit").await;
    assert!(actor.len() == 1 && actor[0].starts_with("API key ") && !actor[0].contains(KEY), "{actor:?}");
}

#[tokio::test]
async fn every_refusal_has_its_status_and_says_what_to_do() {
    let stage = stage(QueueKind::Store).await;
    let (id, _) = subscribe(&stage, HOOK, &["*"]).await;
    let one = format!("/{id}");
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";

    let without = request("GET", "", &Value::Null).without("authorization");
    for (request, status, words) in [
        (without.clone(), 401, "Missing API key"),
        (without.clone().header("Authorization", "Bearer not-the-key-0123456789"), 401, "Invalid API key"),
        (without.clone().header("Authorization", format!("Bearer {KEY}x")), 401, "Invalid API key"),
        (without.header("Authorization", format!("Bearer {OTHER_KEY}")), 200, ""),
        (request("PATCH", &one, &json!({})), 405, "use GET, PUT, DELETE"),
        (request("GET", "/test", &Value::Null), 405, "use POST"),
        (request("GET", "/a/b/c/d/e", &Value::Null), 404, "No webhook endpoint"),
        (request("GET", "/webhook_1", &Value::Null), 404, "webhook_1"),
        (request("PUT", "/webhook_1", &json!({"active": true})), 404, "webhook_1"),
        (request("DELETE", "/webhook_1", &Value::Null), 404, "webhook_1"),
        (request("POST", "/webhook_1/rotate-secret", &Value::Null), 404, "webhook_1"),
        (request("GET", "/webhook_1/deliveries", &Value::Null), 404, "webhook_1"),
        (request("GET", &format!("{one}/deliveries/{unknown}"), &Value::Null), 404, unknown),
        (request("POST", &format!("{one}/deliveries/{unknown}/resend"), &Value::Null), 404, unknown),
        (request("POST", &format!("{one}/deliveries/7/resend"), &Value::Null), 404, "no delivery 7"),
        (
            request("POST", "", &json!({"url": HOOK, "events": ["*"]})).replacing("Content-Type", "text/plain"),
            415,
            "application/json",
        ),
        (request("POST", "", &json!({"url": HOOK, "events": ["*"], "description": "x".repeat(70_000)})), 413, "65536"),
        (request("POST", "", &json!("{")), 400, "it must be an object"),
        (request("POST", "", &json!({})), 400, "Missing /url in payload"),
        (request("POST", "/test", &json!({"webhook_id": id})), 400, "Missing /event in payload"),
        (request("POST", "/test", &json!({"webhook_id": id, "event": "a b"})), 400, "Invalid /event"),
        (
            request("POST", &format!("{one}/rotate-secret"), &json!({"overlap_seconds": -1})),
            400,
            "Invalid /overlap_seconds",
        ),
        (request("GET", "?limit=0", &Value::Null), 400, "Invalid ?limit"),
    ] {
        let reply = stage.send(&request).await;
        assert_eq!(reply.status, status, "{} {}: {reply:?}", request.method, request.path);
        if status != 200 {
            assert!(reply.detail().contains(words), "{} {}: {}", request.method, request.path, reply.detail());
        }
    }
    let all_wrong = json!({"url": "ftp://x", "events": ["user.*", 7], "active": 1, "sources": [], "color": "red"});
    let detail = ask(&stage, "POST", "", all_wrong).await.detail();
    for pointer in ["/url", "/events/1", "/active", "/sources", "/color"] {
        assert!(detail.contains(&format!("Invalid {pointer} in payload")), "{detail}");
    }
    let count = stage.database.count("select count(*) from webhook").await;
    assert_eq!(count, 1, "a refusal leaves nothing behind");
}

#[tokio::test]
async fn without_a_key_in_the_settings_nobody_manages_and_private_addresses_are_refused_by_default() {
    let stage = Stage::set(QueueKind::Store).await;
    let reply = ask(&stage, "GET", "", Value::Null).await;
    assert_eq!(reply.status, 403);
    assert!(reply.detail().contains("webhooks.api_keys"), "{}", reply.detail());

    let strict = Stage::set_with(QueueKind::Store, &settings("").replace("allow_private = true", "")).await;
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://u:p@example.com/",
    ] {
        let reply = ask(&strict, "POST", "", json!({"url": url, "events": ["*"]})).await;
        assert_eq!(reply.status, 400, "{url}");
        assert!(reply.detail().starts_with("Invalid /url in payload"), "{url}: {}", reply.detail());
    }
}

#[tokio::test]
async fn who_guesses_keys_is_slowed_down_who_sends_slowly_is_left_and_our_own_trouble_is_said() {
    let postgres = Postgres::start().await;
    let limits =
        "refused_rate = { requests = 2, per = \"1m\", burst = 2, on_limit = \"reject\" }\nbody_deadline = \"200ms\"";
    let more = settings("").replace("refused_rate = \"off\"", limits);
    let stage = Stage::on(postgres.fresh().await, None, &more).await;

    let mut slow = Connection::open(stage.address).await.unwrap();
    let asked = request("POST", "", &json!({"url": HOOK, "events": ["*"]}));
    slow.write(&asked.head()).await.unwrap();
    assert_eq!(slow.read().await.unwrap().status, 408);

    postgres.kill9();
    let away = ask(&stage, "GET", "", Value::Null).await;
    assert_eq!(away.status, 503);
    assert!(away.header("retry-after").is_some() && away.detail().contains("retry shortly"), "{away:?}");

    let guess = request("GET", "", &Value::Null).replacing("Authorization", "Bearer not-the-key-0123456789");
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(stage.send(&guess).await.status);
    }
    assert!(statuses.starts_with(&[401, 401]) && statuses.ends_with(&[429]), "{statuses:?}");
}

#[tokio::test]
async fn listings_are_paged() {
    let stage = stage(QueueKind::Store).await;
    for n in 0..5 {
        subscribe(&stage, &format!("{HOOK}/{n}"), &["*"]).await;
    }
    let (mut seen, mut path) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = ask(&stage, "GET", &path, Value::Null).await.json();
        seen.extend(page["webhooks"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("?limit=2&before={next}");
    }
    assert_eq!(seen, [4, 3, 2, 1, 0].map(|n| format!("{HOOK}/{n}")));
}

#[tokio::test]
async fn the_command_line_does_the_same() {
    let receiver = Receiver::start(|_| lychgate_tests::receiver::Answer::status(200)).await;
    let stage = stage(QueueKind::Store).await;
    let run = |arguments: &[&str]| {
        let ran = stage.lychgate(&[&["webhooks"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    let made: Value =
        serde_json::from_str(&run(&["create", "--url", &receiver.url(), "--event", "user.*", "--json"])).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_"));
    assert!(run(&["list"]).contains(id) && run(&["list", "--json"]).lines().count() == 1);
    let changed: Value = serde_json::from_str(&run(&["update", id, "--source", "platform", "--json"])).unwrap();
    assert_eq!((&changed["sources"], &changed["events"]), (&json!(["platform"]), &json!(["user.*"])));
    let sent: Value = serde_json::from_str(&run(&["test", id, "--event", "user.created", "--json"])).unwrap();
    let delivery = sent["delivery_id"].as_str().unwrap();
    stage.becomes(delivery.parse().unwrap(), "succeeded").await;
    assert!(run(&["deliveries", id]).contains("succeeded"));
    run(&["resend", id, delivery]);
    stage.becomes(delivery.parse().unwrap(), "succeeded").await;
    lychgate_tests::eventually("it was delivered again", async || match receiver.seen().len() {
        2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert!(run(&["rotate-secret", id]).starts_with("secret=whsec_"));
    assert!(run(&["show", id]).contains("previous_secret_until"));
    run(&["delete", id]);
    let gone = stage.lychgate(&["webhooks", "show", id]);
    assert!(gone.code == 1 && gone.err.contains(id), "{gone:?}");
    let wrong = stage.lychgate(&["webhooks", "create", "--url", "ftp://x", "--event", "a b"]);
    assert!(wrong.code == 2 && wrong.err.contains("/url") && wrong.err.contains("/events/0"), "{wrong:?}");
}
