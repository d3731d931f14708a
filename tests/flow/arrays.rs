//! Several events in one request become one event each, all accepted or none, in the shapes that real senders send.

use base64::{Engine, prelude::BASE64_STANDARD};
use lychgate_tests::{
    http::Request,
    sender::{hmac_sha256, now},
    stage::{QUICK, QueueKind, Stage},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

const SECRET: &str = "hubspot-app-secret-0123456789";
const PUBLIC: &str = "https://hooks.example.com";
const OWN: &str = "own-secret-0123456789abcdef";

/// What stands before a P-256 point in a public key's DER.
const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A key pair for SendGrid's part, and the public key as SendGrid shows it.
fn sendgrid_key() -> (EcdsaKeyPair, String) {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &SystemRandom::new()).unwrap();
    let der = [hex::decode(SPKI).unwrap(), pair.public_key().as_ref().to_vec()].concat();
    (pair, BASE64_STANDARD.encode(der))
}

async fn stage(kind: QueueKind, sendgrid: &str) -> Stage {
    let quick = QUICK.replace("[gateway]\n", &format!("[gateway]\npublic_url = {PUBLIC:?}\n"));
    let sources = format!(
        r#"{quick}
[[source]]
name = "hubspot"
preset = "hubspot-v3"
secrets = ["{SECRET}"]
[[source]]
name = "sendgrid"
preset = "sendgrid"
secrets = ["{sendgrid}"]
[[source]]
name = "canvas"
preset = "canvas"
secrets = ["{OWN}"]
[[source]]
name = "xapi"
preset = "generic"
path = "/xapi/statements"
secrets = ["{OWN}"]
split = true
key = ["json:/id"]
type = ["json:/verb/id"]
"#
    );
    Stage::set_with(kind, &sources).await
}

fn hubspot(events: &Value) -> Request {
    let (at, body) = (now() * 1000, events.to_string());
    let signed = format!("POST{PUBLIC}/webhooks/hubspot{body}{at}");
    Request::post("/webhooks/hubspot", body)
        .header("X-HubSpot-Signature-v3", BASE64_STANDARD.encode(hmac_sha256(SECRET.as_bytes(), signed.as_bytes())))
        .header("X-HubSpot-Request-Timestamp", at.to_string())
}

/// One of HubSpot's events.
fn changed(id: u64, kind: &str) -> Value {
    json!({
        "eventId": id, "subscriptionId": 12_345, "portalId": 62_515, "occurredAt": 1_700_000_000_000_u64,
        "subscriptionType": kind, "attemptNumber": 0, "objectId": 123, "changeSource": "CRM", "propertyName": "email",
    })
}

fn sendgrid(pair: &EcdsaKeyPair, body: &str) -> Request {
    let at = now().to_string();
    let signature = pair.sign(&SystemRandom::new(), format!("{at}{body}").as_bytes()).unwrap();
    Request::post("/webhooks/sendgrid", body)
        .header("X-Twilio-Email-Event-Webhook-Signature", BASE64_STANDARD.encode(signature))
        .header("X-Twilio-Email-Event-Webhook-Timestamp", at)
}

fn own(path: &str, body: &Value) -> Request {
    let signature = lychgate_tests::sender::hex_sha256(OWN.as_bytes(), body.to_string().as_bytes());
    Request::post(path, body.to_string()).header("X-Webhook-Signature", signature)
}

const EVENTS: &str = "select count(*) from event";

async fn an_array_becomes_one_event_each(kind: QueueKind) {
    let (pair, public) = sendgrid_key();
    let stage = stage(kind, &public).await;
    let three =
        json!([changed(1, "contact.creation"), changed(2, "contact.propertyChange"), changed(3, "deal.creation")]);
    let reply = stage.send(&hubspot(&three)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let ids: Vec<uuid::Uuid> = serde_json::from_value(reply.json()["ids"].clone()).unwrap();
    assert_eq!(ids.len(), 3);
    for id in &ids {
        stage.becomes(*id, "ignored").await;
    }
    let kinds = stage.database.column("select kind from event order by kind").await;
    assert_eq!(kinds, ["contact.creation", "contact.propertyChange", "deal.creation"]);
    let again = stage.send(&hubspot(&three)).await;
    assert_eq!((again.header("idempotent-replayed"), again.json()["ids"].clone()), (Some("true"), json!(ids)));

    // SendGrid's bytes, its line end included.
    let body = "[{\"email\":\"a@example.com\",\"event\":\"delivered\",\"sg_event_id\":\"e1\",\"timestamp\":1600112492},\
                {\"email\":\"b@example.com\",\"event\":\"open\",\"sg_event_id\":\"e2\",\"timestamp\":1600112493}]\r\n";
    let reply = stage.send(&sendgrid(&pair, body)).await;
    assert_eq!((reply.status, reply.json()["ids"].as_array().unwrap().len()), (200, 2), "{reply:?}");
    let flipped = Request { body: body.replace("open", "spam").into_bytes(), ..sendgrid(&pair, body) };
    assert_eq!(stage.send(&flipped).await.status, 401);

    let statement = |n: u64| json!({"id": format!("8f87ccde-bb56-4c2e-ab83-44982ef22df{n}"), "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}});
    let reply = stage.send(&own("/xapi/statements", &json!([statement(0), statement(1)]))).await;
    assert_eq!((reply.status, reply.json()["ids"].as_array().unwrap().len()), (200, 2), "{reply:?}");
    let one = stage.send(&own("/xapi/statements", &statement(2))).await;
    assert!(one.is_success() && one.header("lychgate-event-id").is_some(), "a single statement is an event: {one:?}");
    assert_eq!(stage.database.count(EVENTS).await, 8);
}

#[tokio::test]
async fn an_array_becomes_one_event_each_with_the_store_as_the_queue() {
    an_array_becomes_one_event_each(QueueKind::Store).await;
}

#[tokio::test]
async fn an_array_becomes_one_event_each_over_rabbitmq() {
    an_array_becomes_one_event_each(QueueKind::Broker).await;
}

#[tokio::test]
async fn calipers_envelope_becomes_one_event_each_which_canvas_is_not_refused_for() {
    let stage = stage(QueueKind::Store, &sendgrid_key().1).await;
    let event = |n: u64| {
        json!({
            "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1", "id": format!("urn:uuid:{n}"), "type": "GradeEvent",
            "action": "Graded", "eventTime": "2024-01-01T12:00:00.000Z", "object": {"id": "urn:instructure:canvas:a:1"},
        })
    };
    let send = async |events: Value| {
        let body = json!({"sensor": "http://oxana.instructure.com/", "sendTime": "2024-01-01T12:00:01.000Z",
            "dataVersion": "http://purl.imsglobal.org/ctx/caliper/v1p1", "data": events});
        stage.send(&Request::post(&format!("/webhooks/canvas?token={OWN}"), body.to_string())).await
    };
    let reply = send(json!([event(1), event(2)])).await;
    let ids: Vec<uuid::Uuid> = serde_json::from_value(reply.json()["ids"].clone()).unwrap();
    assert_eq!(ids.len(), 2, "{reply:?}");
    for id in ids {
        stage.becomes(id, "ignored").await;
    }
    assert_eq!(stage.database.column("select distinct kind from event").await, ["GradeEvent.Graded"]);
    let mut nameless = event(4);
    nameless.as_object_mut().unwrap().remove("id");
    let reply = send(json!([event(3), nameless])).await;
    assert_eq!((reply.status, reply.detail().contains("/data/1/id")), (400, true), "{reply:?}");
    assert_eq!(stage.database.count(EVENTS).await, 2);
}

#[tokio::test]
async fn an_array_with_one_event_that_cannot_be_is_refused_whole() {
    let stage = stage(QueueKind::Store, &sendgrid_key().1).await;
    // What no check of ours foresees: the database itself refuses one element.
    let poison = "alter table event add constraint poison check (kind <> 'poison')";
    stage.database.connect().await.batch_execute(poison).await.unwrap();
    let mut without_kind = changed(12, "x");
    without_kind.as_object_mut().unwrap().remove("subscriptionType");
    for (what, element, status, words) in [
        ("no type", without_kind, 400, "/1/subscriptionType"),
        (
            "a time that is none",
            {
                let mut odd = changed(12, "x");
                odd["occurredAt"] = json!("soon");
                odd
            },
            400,
            "/1/occurredAt",
        ),
        ("no object", json!(7), 400, "/1/"),
        ("refused by the database", changed(12, "poison"), 400, "the data of /1"),
    ] {
        let request = hubspot(&json!([changed(11, "a.b"), element, changed(13, "a.b")]));
        // Others in the same group go through.
        let other = hubspot(&json!([changed(101, "a.b"), changed(102, "a.b")]));
        let (reply, neighbour) = tokio::join!(stage.send(&request), stage.send(&other));
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        assert!(reply.detail().contains(words), "{what}: {}", reply.detail());
        assert!(neighbour.is_success(), "{what}: {neighbour:?}");
        assert_eq!(stage.database.count(EVENTS).await, 2, "{what} left something behind");
    }

    let known = stage.send(&hubspot(&json!([changed(21, "a.b"), changed(22, "a.b")]))).await;
    let mut second_try = changed(22, "a.b");
    second_try["attemptNumber"] = json!(1);
    let mixed = stage.send(&hubspot(&json!([second_try, changed(23, "a.b")]))).await;
    assert!(mixed.is_success(), "a known element is no refusal: {mixed:?}");
    assert_eq!(mixed.json()["ids"][0], known.json()["ids"][1]);
    assert_eq!(mixed.header("idempotent-replayed"), None, "one of its events is new");
    assert_eq!(stage.database.count(EVENTS).await, 5);

    let statement = |id: &str, score: u64| json!({"id": id, "verb": {"id": "scored"}, "result": score});
    let send = async |statements: Value| stage.send(&own("/xapi/statements", &statements)).await;
    assert!(send(json!([statement("s1", 1), statement("s2", 2)])).await.is_success());
    let reply = send(json!([statement("s3", 3), statement("s1", 7), statement("s4", 4)])).await;
    assert_eq!(reply.status, 422, "{reply:?}");
    assert_eq!(stage.database.count(EVENTS).await, 7, "a conflict leaves nothing behind");
    let later = send(json!([statement("s3", 3), statement("s4", 4)])).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (200, None), "{later:?}");
}
