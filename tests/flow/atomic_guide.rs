//! Atomic Guide (document C): its examples through the real binaries, each accepted or refused as the document says, and
//! what they do to the tables.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use lychgate_common::change::{Change, Table};
use lychgate_tests::{
    fact::eventually,
    http::{Reply, Request},
    receiver::{Answer, Receiver},
    sender::{hex_sha256, hmac_sha256, now},
    stage::{QUICK, QueueKind, Stage},
};
use lychgate_worker::handlers::atomic_guide::{ANALYTICS, TABLES};
use ring::{rand::SystemRandom, rsa::PublicKeyComponents, signature};
use serde_json::{Value, json};

use crate::rows::migrated;

pub(crate) const LTI: &str = "lti-secret-0123456789abcdef";
pub(crate) const SERVICE: &str = "service-key-0123456789abcdef";
const INTERNAL: &str = "internal-secret-0123456789abcdef";
pub(crate) const MOODLE: &str = "moodle-token-0123456789";

/// A key of these tests only, PKCS#8.
const RSA: &str = include_str!("../../common/src/source/tests/jws/rsa.b64");

/// The four sources; Canvas's keys are published at `keys`, transcriptions may come from loopback.
fn sources(keys: &str) -> String {
    format!(
        r#"{QUICK}
[transcription]
allow = ["127.0.0.0/8"]
allow_http = true
[[source]]
name = "lti"
preset = "lti"
secrets = ["{LTI}"]
tokens = ["{MOODLE}"]
jwt = {{ jwks = "{keys}", jwks_loopback = true }}
[[source]]
name = "transcriber"
preset = "service"
service = "transcriber"
secrets = ["{SERVICE}"]
[[source]]
name = "internal"
preset = "internal"
secrets = ["{INTERNAL}"]
jwt = {{ issuer = "atomic-guide", audience = "lychgate" }}
"#
    )
}

fn key_pair() -> signature::RsaKeyPair {
    let der = base64::prelude::BASE64_STANDARD.decode(RSA.trim()).unwrap();
    signature::RsaKeyPair::from_pkcs8(&der).unwrap()
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The document's scheme.
fn lti(body: &Value) -> Request {
    let body = body.to_string();
    let signature = format!("sha256={}", hex_sha256(LTI.as_bytes(), body.as_bytes()));
    Request::post("/webhooks/lti/events", body).header("X-Webhook-Signature", signature)
}

/// What Canvas sends with "Sign Payload": a token and nothing else.
fn canvas(event: &Value, kid: &str) -> Request {
    let signed = format!("{}.{}", part(&json!({"alg": "RS256", "kid": kid})), part(event));
    let pair = key_pair();
    let mut made = vec![0; pair.public().modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut made).unwrap();
    let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(made));
    Request::post("/webhooks/lti/events", token).replacing("Content-Type", "text/plain")
}

fn service(body: &Value) -> Request {
    Request::post("/webhooks/services/transcriber", body.to_string()).header("X-API-Key", SERVICE)
}

pub(crate) fn bearer(claims: &Value) -> String {
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let made = hmac_sha256(INTERNAL.as_bytes(), signed.as_bytes());
    format!("Bearer {signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(made))
}

fn internal(kind: &str, data: &Value) -> Request {
    let claims = json!({"exp": now() + 60, "iss": "atomic-guide", "aud": "lychgate"});
    Request::post(&format!("/webhooks/internal/{kind}"), json!({"type": kind, "data": data}).to_string())
        .header("Authorization", bearer(&claims))
}

async fn accepted(stage: &Stage, request: &Request) -> uuid::Uuid {
    let reply = stage.send(request).await;
    assert_eq!(reply.status, 200, "{reply:?} to {}", String::from_utf8_lossy(&request.body));
    reply.header("lychgate-event-id").unwrap().parse().unwrap()
}

async fn succeeds(stage: &Stage, request: &Request) {
    let id = accepted(stage, request).await;
    stage.becomes(id, "succeeded").await;
}

fn detail(reply: &Reply) -> (u16, String) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    (reply.status, body["detail"].as_str().unwrap_or_default().to_owned())
}

pub(crate) async fn stage() -> (Stage, Receiver) {
    let keys = Receiver::start(|asked| match asked.path.as_str() {
        "/jwks" => {
            let pair = key_pair();
            let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
            let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            let key = json!({"kty": "RSA", "kid": "now", "alg": "RS256", "n": text(&public.n), "e": text(&public.e)});
            Answer::json(200, &json!({ "keys": [key] }))
        }
        _ => Answer { body: Bytes::from_static(b"Cells have walls.\n\nNot all of them do."), ..Answer::status(200) },
    })
    .await;
    let stage = Stage::set_with(QueueKind::Store, &sources(&format!("{}/jwks", keys.url()))).await;
    (stage, keys)
}

/// A request by its number.
type Numbered = Box<dyn Fn(usize) -> Request>;

/// The document's limits, by route: events a minute.
#[tokio::test]
async fn each_route_takes_as_many_events_a_minute_as_the_document_says_and_then_names_the_wait() {
    let (stage, _keys) = stage().await;
    let grade = |n: usize| {
        lti(&json!({"type": "grade.updated", "data": {"userId": "u", "resourceLinkId": n.to_string(), "score": 1,
            "maxScore": 2, "timestamp": "2024-01-01T12:00:00Z"}}))
    };
    let failed = |n: usize| {
        service(&json!({"service": "transcription", "type": "transcription.failed", "data": {"videoId": n.to_string(),
            "error": "no sound"}}))
    };
    let ordered = |n: usize| internal("analytics.batch", &json!({"batchId": n.to_string(), "events": []}));
    let routes: [(&str, usize, Numbered); 3] =
        [("lti", 100, Box::new(grade)), ("services", 50, Box::new(failed)), ("internal", 200, Box::new(ordered))];
    for (route, limit, request) in routes {
        for n in 0..limit {
            let reply = stage.send(&request(n)).await;
            assert!(!matches!(reply.status, 401 | 429), "{route} {n}: {reply:?}");
        }
        // While these were sent, a few more have become free; never twice as many.
        let mut refused = None;
        for n in limit..2 * limit {
            let reply = stage.send(&request(n)).await;
            if reply.status == 429 {
                refused = Some(reply);
                break;
            }
        }
        let refused = refused.unwrap_or_else(|| panic!("{route} takes more than {limit}"));
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{route}: {refused:?}");
        assert!(refused.detail().contains("Rate limit exceeded"), "{route}: {refused:?}");
    }
}

#[tokio::test]
async fn the_documents_examples_are_accepted_and_do_what_it_says() {
    let (stage, keys) = stage().await;
    let grade = json!({"type": "grade.updated", "data": {"userId": "user123", "resourceLinkId": "link456", "score": 85,
        "maxScore": 100, "timestamp": "2024-01-01T12:00:00Z"}});
    succeeds(&stage, &lti(&grade)).await;
    assert_eq!(stage.send(&lti(&grade)).await.header("idempotent-replayed"), Some("true"));
    for kind in ["grade.created", "member.added", "content.created"] {
        let body = json!({"type": kind, "data": {"userId": "u", "resourceLinkId": "l", "score": 1, "maxScore": 2,
            "gradeId": "g", "contextId": "c", "roles": ["Learner"], "contentId": "x", "title": "t",
            "url": "https://e.org", "timestamp": "2024-01-01T12:00:00Z"}});
        succeeds(&stage, &lti(&body)).await;
    }
    succeeds(&stage, &lti(&json!({"event_name": "assignment_created", "body": {"assignment_id": "1", "title": "t"}})))
        .await;
    let posted = json!({"event_name": "grade_posted", "body": {"assignment_id": "1", "student_id": "s", "score": 9}});
    succeeds(&stage, &lti(&posted)).await;
    let topic = json!({"event_name": "discussion_topic_created",
        "body": {"discussion_topic_id": "1", "title": "Plant cells", "body": "<p>They have walls.</p>"}});
    succeeds(&stage, &lti(&topic)).await;
    for name in ["core\\event\\user_graded", "\\core\\event\\course_module_created", "course_completed"] {
        let body = json!({"eventname": name, "relateduserid": "7", "userid": "2", "courseid": "3", "objectid": "4",
            "contextinstanceid": "5", "other": {"itemid": "6", "finalgrade": 8}, "timecreated": 1_704_110_400,
            "host": "moodle.example.com", "token": MOODLE});
        succeeds(&stage, &Request::post("/webhooks/lti/events", body.to_string())).await;
    }
    succeeds(
        &stage,
        &internal(
            "video.upload.completed",
            &json!({"videoId": "v", "metadata": {"userId": "owner"},
        "timestamp": "2024-01-01T12:00:00Z"}),
        ),
    )
    .await;
    succeeds(
        &stage,
        &internal(
            "deep_link.created",
            &json!({"linkId": "l", "resourceType": "assessment",
        "contextId": "c", "createdBy": "u", "configuration": {}, "timestamp": "2024-01-01T12:00:00Z"}),
        ),
    )
    .await;
    succeeds(
        &stage,
        &service(&json!({"type": "user.behavior", "data": {"userId": "viewer", "sessionId": "s", "events": [
        {"type": "view", "element": "video", "timestamp": "2024-01-01T12:00:00Z", "metadata": {"videoId": "v"}},
        {"type": "click", "element": "#a", "timestamp": "2024-01-01T12:00:01Z"}]}})),
    )
    .await;
    succeeds(
        &stage,
        &service(&json!({"type": "transcription.completed", "data": {"jobId": "j", "videoId": "v",
        "transcriptionUrl": format!("{}/t.txt", keys.url()), "confidence": 0.9, "duration": 61,
        "timestamp": "2024-01-02T12:00:00Z"}})),
    )
    .await;

    let database = &stage.database;
    assert_eq!(
        database.column("select score || '/' || max_score from lti_grade where grade_id = 'link456/user123'").await,
        ["85/100"]
    );
    assert_eq!(database.column("select score::text from student_progress where student_id = 's'").await, ["9"]);
    let found = "select title from discussion where search @@ websearch_to_tsquery('english', 'walled cell')";
    assert_eq!(database.column(&found.replace("walled", "wall")).await, ["Plant cells"]);
    let passage = "select content from video_passage where search @@ websearch_to_tsquery('english', 'wall')";
    assert_eq!(database.column(passage).await, ["Cells have walls. Not all of them do."]);
    assert_eq!(database.column("select user_id from notification order by 1").await, ["owner", "viewer"]);
    assert_eq!(database.count("select count(*) from analytics_record where metric_type = 'user_behavior'").await, 2);
    let stored = "select count(*) from event where position(convert_to('moodle-token', 'UTF8') in body) > 0";
    assert_eq!(database.count(stored).await, 0, "a secret was stored");
}

#[tokio::test]
async fn canvas_is_believed_by_its_published_keys_and_forgers_are_not() {
    let (stage, keys) = stage().await;
    let event = |name: &str, iat: i64| {
        json!({"metadata": {"event_name": name, "event_time": "2024-01-01T12:00:00.000Z", "root_account_uuid": "acc"},
            "body": {"assignment_id": "21070000000000012", "title": "Cells"}, "iat": iat})
    };
    succeeds(&stage, &canvas(&event("assignment_created", now()), "now")).await;
    let again = stage.send(&canvas(&event("assignment_created", now() - 5), "now")).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "signed anew it is the same event");
    let id = accepted(&stage, &canvas(&event("logged_in", now()), "now")).await;
    stage.becomes(id, "ignored").await;
    let account = stage.database.column("select account from canvas_assignment").await;
    assert_eq!(account, ["acc"]);
    for _ in 0..3 {
        let (status, why) = detail(&stage.send(&canvas(&event("logged_in", now()), "other")).await);
        assert_eq!(
            (status, why.as_str()),
            (401, "Invalid token: its key is not among those that its issuer publishes")
        );
    }
    assert_eq!(keys.seen().len(), 1, "an unknown key asks again only after the cool-down");
    let old = canvas(&event("logged_in", now() - 90_000), "now");
    assert_eq!(detail(&stage.send(&old).await), (401, "Invalid token: it was issued too long ago".to_owned()));
}

#[tokio::test]
async fn plain_canvas_is_taken_with_the_token_in_its_url_and_not_without() {
    let (stage, _keys) = stage().await;
    let event = json!({"metadata": {"event_name": "assignment_created", "event_time": "2024-01-01T12:00:00.000Z",
        "root_account_uuid": "acc"}, "body": {"assignment_id": "21070000000000012", "title": "Cells"}})
    .to_string();
    let to = |query: &str| Request::post(&format!("/webhooks/lti/events{query}"), event.clone());
    let missing = (401, "Missing webhook signature".to_owned());
    for query in ["", "?token=", "?other=1"] {
        assert_eq!(detail(&stage.send(&to(query)).await), missing, "{query}");
    }
    for wrong in ["wrong".to_owned(), LTI.to_owned(), format!("{MOODLE}0")] {
        let reply = stage.send(&to(&format!("?token={wrong}"))).await;
        assert_eq!(detail(&reply), (401, "Invalid API key".to_owned()), "{wrong}");
    }
    succeeds(&stage, &to(&format!("?token={MOODLE}"))).await;
    let title = stage.database.column("select account || ' ' || title from canvas_assignment").await;
    assert_eq!(title, ["acc Cells"]);
    // What an administrator types into `tool_trigger`.
    let graded = json!({"eventname": r"\core\event\user_graded", "relateduserid": "7", "courseid": "3",
        "other": {"itemid": "6", "finalgrade": 8}, "timecreated": 1_704_110_400, "host": "moodle.example.com"});
    let trigger = Request::post("/webhooks/lti/events", graded.to_string());
    assert_eq!(detail(&stage.send(&trigger).await), missing);
    succeeds(&stage, &trigger.clone().header("X-API-Key", MOODLE)).await;
    let again = stage.send(&trigger.header("Authorization", format!("Bearer {MOODLE}"))).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again:?}");
    let kept = "select count(*) from event where headers::text like '%moodle-token%'";
    assert_eq!(stage.database.count(kept).await, 0, "a secret was stored");
}

#[tokio::test]
async fn a_token_for_somebody_else_is_refused_by_a_source_that_has_no_name() {
    let source = format!("{QUICK}\n[[source]]\nname = \"internal\"\npreset = \"internal\"\nsecrets = [\"{INTERNAL}\"]");
    let stage = Stage::set_with(QueueKind::Store, &source).await;
    let video = json!({"videoId": "v", "timestamp": "2024-01-01T12:00:00Z"});
    let with = |claims: Value| internal("video.upload.completed", &video).replacing("Authorization", bearer(&claims));
    let foreign = with(json!({"exp": now() + 60, "iss": "stranger", "aud": "someone-else"}));
    let why = "Invalid token: `aud` says whom it is for, and this source has no name: set `jwt.audience`";
    assert_eq!(detail(&stage.send(&foreign).await), (401, why.to_owned()));
    let checked = stage.lychgate(&["check", "--source", "internal"]);
    for said in
        ["its issuer is not checked (`jwt.issuer`)", "refused if it names an audience (`jwt.audience` is not set)"]
    {
        assert!(checked.out.contains(said), "{checked:?}");
    }
    succeeds(&stage, &with(json!({"exp": now() + 60}))).await;
}

#[tokio::test]
async fn what_the_document_refuses_is_refused_in_its_words() {
    let (stage, _keys) = stage().await;
    let test = json!({"type": "test.event", "data": {"message": "test"}});
    assert_eq!(detail(&stage.send(&lti(&test)).await), (400, "Unknown event type".to_owned()));
    let unsigned = lti(&test).without("X-Webhook-Signature");
    assert_eq!(detail(&stage.send(&unsigned).await).0, 401);
    let forged = lti(&test).replacing("X-Webhook-Signature", "sha256=00");
    assert_eq!(detail(&stage.send(&forged).await), (401, "Invalid webhook signature".to_owned()));
    let half = json!({"type": "member.added", "data": {"contextId": "c", "timestamp": "2024-01-01T12:00:00Z"}});
    assert_eq!(
        detail(&stage.send(&lti(&half)).await),
        (400, "Missing /data/userId in payload: the field is required and must not be empty".to_owned())
    );

    let behaviour = json!({"type": "user.behavior", "data": {"userId": "u", "sessionId": "s", "events": []}});
    let wrong = service(&behaviour).replacing("X-API-Key", "wrong");
    assert_eq!(detail(&stage.send(&wrong).await), (401, "Invalid API key".to_owned()));
    let body = behaviour.to_string();
    let signed = Request::post("/webhooks/services/transcriber", body.clone())
        .header("X-Webhook-Signature", hex_sha256(SERVICE.as_bytes(), body.as_bytes()));
    succeeds(&stage, &signed).await;
    assert_eq!(stage.send(&Request::post("/webhooks/services/other", body)).await.status, 404);

    let video = json!({"videoId": "v", "timestamp": "2024-01-01T12:00:00Z"});
    let good = internal("video.upload.completed", &video);
    for (claims, why) in [
        (json!({"exp": now() - 120, "iss": "atomic-guide", "aud": "lychgate"}), "it has expired"),
        (json!({"iss": "atomic-guide", "aud": "lychgate"}), "`exp` is missing: it must expire"),
        (json!({"exp": now() + 60, "iss": "atomic-guide", "aud": "other"}), "`aud` does not name this source"),
    ] {
        let reply = stage.send(&good.clone().replacing("Authorization", bearer(&claims))).await;
        assert_eq!(detail(&reply), (401, format!("Invalid token: {why}")));
    }
    assert_eq!(
        detail(&stage.send(&good.clone().without("Authorization")).await),
        (401, "Missing bearer token".to_owned())
    );
    let mut elsewhere = good.clone();
    elsewhere.path = "/webhooks/internal/deep_link.created".to_owned();
    assert_eq!(stage.send(&elsewhere).await.status, 400);
    succeeds(&stage, &good).await;
}

#[tokio::test]
async fn a_score_that_its_document_rules_out_is_refused_by_its_pointer_and_a_private_address_is_a_dead_letter() {
    let (stage, _keys) = stage().await;
    let grade = |score: f64, most: f64| {
        lti(&json!({"type": "grade.created", "data": {"userId": "u", "resourceLinkId": "l", "score": score,
            "maxScore": most, "gradeId": "g", "timestamp": "2024-01-01T12:00:00Z"}}))
    };
    for (score, most, detail) in [
        (100.5, 100.0, "Invalid /data/score in payload: it must be from 0 to /data/maxScore"),
        (-1.0, 100.0, "Invalid /data/score in payload: it must be from 0 to /data/maxScore"),
        (0.0, 0.0, "Invalid /data/maxScore in payload: it must be more than 0"),
    ] {
        let reply = stage.send(&grade(score, most)).await;
        assert_eq!((reply.status, reply.detail().as_str()), (400, detail));
    }
    assert_eq!(stage.database.count("select count(*) from event").await, 0);
    succeeds(&stage, &grade(100.0, 100.0)).await;
    let transcription = json!({"type": "transcription.completed", "data": {"jobId": "j", "videoId": "v",
        "transcriptionUrl": "https://169.254.169.254/latest", "confidence": 0.9, "duration": 61,
        "timestamp": "2024-01-02T12:00:00Z"}});
    let id = accepted(&stage, &service(&transcription)).await;
    stage.becomes(id, "dead").await;
    let said = format!("select error->>'message' from attempt where event_id = '{id}'");
    eventually("the reason is recorded", async || match stage.database.column(&said).await.as_slice() {
        [found] if found == "/data/transcriptionUrl may not be called" => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await;
}

#[tokio::test]
async fn document_cs_limits_hold() {
    let (stage, _keys) = stage().await;
    let body = json!({"type": "test.event", "data": {}});
    let mut statuses = Vec::new();
    for _ in 0..110 {
        statuses.push(stage.send(&lti(&body)).await.status);
    }
    assert!(statuses[..100].iter().all(|status| *status == 400), "{statuses:?}");
    assert!(statuses[100..].contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn the_declared_tables_are_those_of_the_schema() {
    let (store, database) = migrated().await;
    let tables: Vec<&'static Table> = TABLES.into_iter().chain([ANALYTICS]).collect();
    for table in &tables {
        let name = table.name;
        let columns = format!(
            "select column_name::text from information_schema.columns
             where table_name = '{name}' and is_generated = 'NEVER' order by 1"
        );
        let columns = database.column(&columns).await;
        let mut declared: Vec<_> = table.key.iter().chain(table.columns).map(|name| (*name).to_owned()).collect();
        declared.extend(columns.iter().filter(|column| *column == "versions").cloned());
        declared.sort();
        assert_eq!(columns, declared, "{name}");
    }
    // Every column takes what its handler writes, absent ones their default; written twice, nothing changes.
    let row = json!({"source": "s", "job_id": "j", "position": 0, "content": "Cells", "embedding": [0.5, 1.0]});
    let row = row.as_object().unwrap().clone();
    let passage = tables.iter().find(|table| table.name == "transcript_passage").unwrap();
    let version = lychgate_common::change::Version::told("2024-01-01T12:00:00Z".parse().unwrap(), "1");
    for _ in 0..2 {
        store.apply(&[Change::merge(passage, row.clone(), version.clone())]).await.unwrap();
    }
    assert_eq!(
        database.column("select embedding::text || search::text from transcript_passage").await,
        ["{0.5,1}'cell':1"]
    );
}
