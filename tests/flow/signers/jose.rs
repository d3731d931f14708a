//! `jose` signs JSON Web Tokens: Canvas' whole bodies, and bearer tokens of three kinds for events from within.

use lychgate_tests::{
    http::Request,
    sender::{now, now_text},
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::{Draft, Sdk},
};

const SECRET: &str = "internal-secret-0123456789abcdef";

fn flipped(token: &str) -> String {
    let at = token.rfind('.').unwrap() + 1;
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[tokio::test]
async fn a_body_that_is_a_token_is_read_from_its_claims_and_a_stranger_s_is_refused() {
    let sdk = Sdk::node();
    let set = sdk.published("canvas");
    let source = format!("[[source]]\nname = \"canvas\"\npreset = \"canvas\"\njwt = {{ jwks = '{set}' }}\n");
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let grade = unique();
    let body = format!(
        r#"{{"metadata":{{"event_name":"grade_change","event_time":"{}","producer":"canvas","root_account_uuid":"u1"}},"body":{{"assignment_id":"12","submission_id":"{grade}","student_id":"42","score":85}}}}"#,
        now_text()
    );
    let draft = Draft { secret: "", id: "", time: now(), url: "", body: &body };
    let post = |sent: &lychgate_tests::vendors::Sent, body: &str| {
        let request = Request::post("/webhooks/canvas", body);
        sent.headers.iter().fold(request, |request, (name, value)| request.replacing(name, value.as_bytes()))
    };
    let sent = sdk.send("canvas", &draft);
    assert!(sent.body.starts_with("eyJ") && !sent.body.contains(&grade));
    assert_eq!(stage.send(&post(&sent, &flipped(&sent.body))).await.status, 401);
    let stranger = sdk.send("canvas-stranger", &draft);
    assert_eq!(stage.send(&post(&stranger, &stranger.body)).await.status, 401);
    let stale = sdk.send("canvas", &Draft { time: now() - 2 * 24 * 3600, ..draft.clone() });
    assert_eq!(stage.send(&post(&stale, &stale.body)).await.status, 401, "two days old");

    let accepted = stage.send(&post(&sent, &sent.body)).await;
    assert!(accepted.is_success(), "{} {}", accepted.status, accepted.detail());
    let stored = format!(
        "select convert_from(body, 'UTF8')::json #>> '{{body,submission_id}}' from event where id = '{}'",
        accepted.event_id()
    );
    assert_eq!(stage.database.column(&stored).await, [grade]);
    // Signed anew, with another `iat`: the same event.
    let anew = sdk.send("canvas", &Draft { time: now() - 30, ..draft });
    assert_ne!(anew.body, sent.body);
    assert_eq!(stage.send(&post(&anew, &anew.body)).await.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn bearer_tokens_of_each_algorithm_are_accepted_from_those_who_hold_the_key() {
    let sdk = Sdk::node();
    let claims = "issuer = \"us\", audience = \"lychgate\"";
    let sources = format!(
        "[[source]]\nname = \"shared\"\npreset = \"internal\"\npath = \"/v/shared/{{eventType}}\"\nsecrets = [{SECRET:?}]\n\
         jwt = {{ {claims} }}\n\
         [[source]]\nname = \"public\"\npreset = \"internal\"\npath = \"/v/public/{{eventType}}\"\n\
         jwt = {{ {claims}, jwks = '{}' }}\n\
         [[source]]\nname = \"any\"\npreset = \"bearer-jwt\"\nsecrets = [{SECRET:?}]\n\
         jwt = {{ {claims} }}\n",
        sdk.published("internal")
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{sources}")).await;
    let ask = |provider: &str, path: &str, secret: &str, time: i64| {
        let body = format!(
            r#"{{"id":"{}","type":"video.upload.completed","data":{{"videoId":"v1","timestamp":"{}"}}}}"#,
            unique(),
            now_text()
        );
        let headers = sdk.sign(provider, &Draft { secret, id: "", time, url: "", body: &body });
        headers.iter().fold(Request::post(path, body.as_bytes()), |request, (name, value)| {
            request.replacing(name, value.as_bytes())
        })
    };
    let (shared, public) = ("/v/shared/video.upload.completed", "/v/public/video.upload.completed");
    for (provider, path, time, status) in [
        ("jwt-hs256", shared, now(), 200),
        ("jwt-es256", public, now(), 200),
        ("jwt-eddsa", public, now(), 200),
        ("jwt-hs256", "/webhooks/jwt", now(), 200),
        ("jwt-hs256", shared, now() - 200, 401),
        ("jwt-eddsa", public, now() - 200, 401),
        ("jwt-stranger", public, now(), 401),
        ("jwt-es256", shared, now(), 401),
        ("jwt-hs256", public, now(), 401),
    ] {
        let reply = stage.send(&ask(provider, path, SECRET, time)).await;
        assert_eq!(reply.status, status, "{provider} to {path}: {}", reply.detail());
    }
    let other = stage.send(&ask("jwt-hs256", shared, "another-secret-0123456789abcdef0", now())).await;
    assert_eq!(other.status, 401);
    assert_eq!(stage.database.count("select count(*) from event").await, 4);
}
