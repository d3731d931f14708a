//! Webhooks of our own (document D): who subscribes is told, in the document's form, of everything and of nothing twice.

mod deliver;
mod limits;
mod manage;
mod migrates;

use lychgate_tests::{
    http::{Reply, Request},
    receiver::{Received, Receiver},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};
use uuid::Uuid;

const KEY: &str = "api-key-0123456789abcdef-one";
const OTHER_KEY: &str = "api-key-0123456789abcdef-two";

/// Endpoints on loopback, no breaker where a test does not mean it, and no copies from the sweeper.
fn settings(more: &str) -> String {
    let quick = QUICK.replace("grace = \"2s\"", "grace = \"30s\"");
    format!(
        "{quick}[forward]\ntimeout = \"1500ms\"\nbreaker_failures = 1000\n\
         [webhooks]\napi_keys = [{KEY:?}, {OTHER_KEY:?}]\nallow_private = true\n{more}"
    )
}

async fn stage(kind: QueueKind) -> Stage {
    Stage::set_with(kind, &settings("")).await
}

fn request(method: &str, path: &str, body: &Value) -> Request {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request { method: method.to_owned(), ..Request::post(&format!("/v2/webhooks{path}"), text) };
    request.header("Authorization", format!("Bearer {KEY}"))
}

async fn ask(stage: &Stage, method: &str, path: &str, body: Value) -> Reply {
    stage.send(&request(method, path, &body)).await
}

/// A new webhook's id and secret.
async fn subscribe(stage: &Stage, url: &str, events: &[&str]) -> (String, String) {
    let reply = ask(stage, "POST", "", json!({"url": url, "events": events, "active": true})).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = |field: &str| reply.json()[field].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// Sends a `user.created` and returns its event's id.
async fn user_created(stage: &Stage, name: &str) -> Uuid {
    let reply = stage.send(&platform(PLATFORM, platform_user_created(name, name))).await;
    assert!(reply.is_success(), "{reply:?}");
    reply.event_id()
}

/// What a receiver was told of this event.
fn told(receiver: &Receiver, event: Uuid) -> Vec<Received> {
    let of = |received: &Received| {
        serde_json::from_slice::<Value>(&received.body).is_ok_and(|body| body["id"] == json!(event))
    };
    receiver.seen().into_iter().filter(of).collect()
}

/// The ids of the deliveries that tell of an event.
async fn deliveries(stage: &Stage, event: Uuid) -> Vec<Uuid> {
    let of = format!("select id::text from event where source = 'webhooks' and subject = '{event}' order by tenant");
    stage.database.column(&of).await.iter().map(|id| id.parse().unwrap()).collect()
}
