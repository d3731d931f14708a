//! Challenges and probes through the real gateway: the right answer, no event, and nothing for strangers.

use lychgate_tests::{
    http::{Reply, Request},
    stage::{QueueKind, Stage},
};

const SOURCES: &str = r#"
[gateway]
refused_rate = { requests = 1, per = "1h", burst = 3, on_limit = "reject" }
[[source]]
name = "meta"
preset = "meta"
secrets = ["app-secret"]
verify_token = "verify-token"
[[source]]
name = "graph"
preset = "microsoft-graph"
secrets = ["p3Vd0c6m8kQyHqXbZ1sT7w"]
[[source]]
name = "trello"
preset = "trello"
secrets = ["trello-secret"]
public_url = "https://elsewhere.example.com/trello?board=1"
[[source]]
name = "events"
preset = "cloudevents"
secrets = ["p3Vd0c6m8kQyHqXbZ1sT7w"]
[[source]]
name = "asana"
preset = "asana"
secrets = ["asana-secret"]
[[source]]
name = "xero"
preset = "xero"
secrets = ["xero-webhook-key"]
"#;

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

async fn ask(stage: &Stage, method: &str, path: &str) -> Reply {
    stage.send(&Request { method: method.to_owned(), ..Request::get(path) }).await
}

#[tokio::test]
async fn a_challenge_is_answered_as_plain_text_and_makes_no_event() {
    let stage = Stage::set_with(QueueKind::Store, SOURCES).await;
    let meta = |token: &str| {
        format!("/webhooks/meta?hub.mode=subscribe&hub.challenge=%3Cb%3E1158201444&hub.verify_token={token}")
    };
    let answer = ask(&stage, "GET", &meta("verify-token")).await;
    assert_eq!((answer.status, text(&answer)), (200, "<b>1158201444".to_owned()));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let other = ask(&stage, "GET", "/webhooks/meta").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("POST")));

    let path = "/webhooks/microsoft-graph?token=p3Vd0c6m8kQyHqXbZ1sT7w&validationToken=a%20b";
    let answer = stage.send(&Request::post(path, "").without("content-type")).await;
    assert_eq!((answer.status, text(&answer)), (200, "a b".to_owned()));

    assert_eq!(ask(&stage, "HEAD", "/webhooks/trello").await.status, 200);
    assert_eq!(ask(&stage, "DELETE", "/webhooks/trello").await.status, 405);

    let origin = Request { method: "OPTIONS".to_owned(), ..Request::get("/webhooks/cloudevents") };
    let answer = stage.send(&origin.header("WebHook-Request-Origin", "eventemitter.example.com")).await;
    assert_eq!((answer.status, answer.header("webhook-allowed-origin")), (200, Some("eventemitter.example.com")));

    let answer = stage.send(&Request::post("/webhooks/asana", "").header("X-Hook-Secret", "b537207f20cbfa02")).await;
    assert_eq!((answer.status, answer.header("x-hook-secret")), (200, Some("b537207f20cbfa02")));
    assert_eq!(stage.database.count("select count(*) from event").await, 0);

    // Strangers learn nothing, and after a few tries not even that.
    for _ in 0..4 {
        let stranger = ask(&stage, "GET", &meta("guess-guess")).await;
        assert_eq!((stranger.status, stranger.detail().as_str()), (403, "Invalid verify token"));
    }
    assert_eq!(ask(&stage, "GET", &meta("verify-token")).await.status, 429);
}

#[tokio::test]
async fn a_source_s_own_public_url_is_what_its_sender_signs() {
    let stage = Stage::set_with(QueueKind::Store, SOURCES).await;
    // HMAC-SHA1 of the body and https://elsewhere.example.com/trello?board=1, made with Python's hmac.
    let signed = Request::post("/webhooks/trello?board=1", TRELLO).header("X-Trello-Webhook", TRELLO_SIGNATURE);
    let accepted = stage.send(&signed.clone().header("Host", "evil.example")).await;
    assert!(accepted.is_success(), "{} {}", accepted.status, accepted.detail());
    let kept = "select count(*) from event where headers::text ilike '%trello-webhook%'";
    assert_eq!(stage.database.count(kept).await, 0, "the signature is not stored");
    let again = stage.send(&signed).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

const TRELLO: &str =
    r#"{"action":{"id":"a1","type":"updateCard","date":"2026-01-01T00:00:00.000Z"},"model":{"id":"m1"}}"#;
const TRELLO_SIGNATURE: &str = "yKd9fZ0jHUr4jhBJ6+Xyx3yqeP8=";

/// Xero asks with four requests, some signed wrongly on purpose, before it sends anything; and again, now and then.
#[tokio::test]
async fn xero_s_intent_to_receive_is_told_200_and_nothing_else_and_401_where_it_is_signed_wrongly() {
    let stage = Stage::set_with(QueueKind::Store, SOURCES).await;
    // HMAC-SHA256 with `xero-webhook-key`, in base64, made with Python's hmac.
    let intent = |signature: &str| Request::post("/webhooks/xero", XERO).header("x-xero-signature", signature);
    let right = stage.send(&intent(XERO_SIGNATURE)).await;
    assert_eq!((right.status, right.body.len()), (200, 0), "{right:?}");
    let wrong = stage.send(&intent(&XERO_SIGNATURE.replace('=', "A="))).await;
    assert_eq!(wrong.status, 401);
    let other = stage.send(&intent("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")).await;
    assert_eq!(other.status, 401);
    assert_eq!(stage.send(&intent(XERO_SIGNATURE)).await.status, 200, "asked again, it is told the same");
    assert_eq!(stage.database.count("select count(*) from event").await, 0);
}

const XERO: &str = r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}"#;
const XERO_SIGNATURE: &str = "Jk5oeRqkvxspr6ZqkjgzOcJkUe7yZPsZrwBHTeueGFc=";
