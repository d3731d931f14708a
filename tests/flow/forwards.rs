//! A source of one's own: what it receives reaches the user's service, signed, again where it must, once where it can.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lychgate_tests::{
    Process, eventually,
    http::Request,
    receiver::{Answer, Received, Receiver},
    sender::hex_sha256,
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::Sdk,
};
use uuid::Uuid;

const SECRET: &str = "shop-secret-0123456789abcdef";
const FORWARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BREAKER_OFF: &str = "[forward]\ntimeout = \"1500ms\"\nbreaker_failures = 1000\n";

/// A source that forwards to these, which are on loopback.
fn source(name: &str, to: &[String], private: bool) -> String {
    format!(
        "[[source]]\nname = {name:?}\npath = \"/in/{name}\"\nsecrets = [{SECRET:?}]\ncontent_types = \"any\"\nforward = {to:?}\n\
         forward_secret = {FORWARD_SECRET:?}\nforward_private = {private}\n"
    )
}

async fn stage(kind: QueueKind, sources: &str) -> Stage {
    Stage::set_with(kind, &format!("{QUICK}{BREAKER_OFF}{sources}")).await
}

fn webhook(name: &str, body: &str) -> Request {
    Request::post(&format!("/in/{name}"), body.as_bytes())
        .header("X-Webhook-Signature", hex_sha256(SECRET.as_bytes(), body.as_bytes()))
        .header("X-Webhook-Event", "order.paid")
        .header("Idempotency-Key", unique())
}

async fn accepted(stage: &Stage, name: &str, body: &str) -> Uuid {
    let reply = stage.send(&webhook(name, body)).await;
    assert!(reply.is_success(), "{}", reply.detail());
    reply.event_id()
}

fn of(receiver: &Receiver, id: Uuid) -> Vec<Received> {
    let id = id.to_string();
    receiver.seen().into_iter().filter(|received| received.header("webhook-id") == Some(id.as_str())).collect()
}

on_both!(
    a_forwarded_event_arrives_byte_for_byte_signed_so_that_any_standard_webhooks_library_takes_it,
    of_several_destinations_only_those_that_failed_are_called_again,
    what_a_destination_refuses_is_a_dead_letter_at_once_and_its_replay_is_delivered,
    a_slow_destination_holds_only_its_own_deliveries,
);

async fn a_forwarded_event_arrives_byte_for_byte_signed_so_that_any_standard_webhooks_library_takes_it(
    kind: QueueKind,
) {
    let receiver = Receiver::start(|_| Answer::status(204)).await;
    let stage = stage(kind, &source("shop", &[format!("{}/hooks?tenant=7", receiver.url())], true)).await;
    let body = "a=1&b=\u{e9} \"quoted\"";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent =
        webhook("shop", body).replacing("Content-Type", "text/x-odd; charset=utf-8").header("traceparent", trace);
    let id = stage.send(&sent).await.event_id();
    stage.becomes(id, "succeeded").await;
    let received = of(&receiver, id);
    assert_eq!(received.len(), 1);
    let received = &received[0];
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/hooks?tenant=7"));
    assert_eq!(received.body, body.as_bytes());
    assert_eq!(received.header("content-type"), Some("text/x-odd; charset=utf-8"));
    assert_eq!(received.header("lychgate-event-id"), Some(id.to_string().as_str()));
    assert_eq!(received.header("lychgate-source"), Some("shop"));
    assert_eq!(received.header("lychgate-event-type"), Some("order.paid"));
    assert!(received.header("traceparent").unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    for leaked in ["x-webhook-signature", "authorization", "cookie"] {
        assert_eq!(received.header(leaked), None);
    }
}

#[tokio::test]
async fn the_libraries_of_standard_webhooks_verify_what_is_forwarded_and_refuse_what_was_changed() {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let stage = stage(QueueKind::Store, &source("shop", &[receiver.url()], true)).await;
    let body = r#"{"type": "order.paid", "data": {"id": 7}}"#;
    let id = accepted(&stage, "shop", body).await;
    stage.becomes(id, "succeeded").await;
    let received = &of(&receiver, id)[0];
    let headers = received.headers.iter().cloned().collect::<std::collections::BTreeMap<_, _>>();
    let headers = serde_json::to_value(headers).unwrap();
    for sdk in [Sdk::node(), Sdk::python()] {
        assert_eq!(sdk.verify("standard-webhooks", FORWARD_SECRET, &headers, body), Ok(()));
        assert!(sdk.verify("standard-webhooks", FORWARD_SECRET, &headers, &body.replace('7', "8")).is_err());
    }
}

async fn of_several_destinations_only_those_that_failed_are_called_again(kind: QueueKind) {
    let down = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&down);
    let good = Receiver::start(|_| Answer::status(200)).await;
    let shaky = Receiver::start(move |_| Answer::status(if switch.load(Ordering::SeqCst) { 503 } else { 200 })).await;
    let stage = stage(kind, &source("shop", &[good.url(), shaky.url()], true)).await;
    let id = accepted(&stage, "shop", "{}").await;
    eventually("the shaky one was called twice", async || match of(&shaky, id).len() {
        0 | 1 => Err(String::new()),
        _ => Ok(()),
    })
    .await;
    down.store(false, Ordering::SeqCst);
    stage.becomes(id, "succeeded").await;
    assert_eq!(of(&good, id).len(), 1);
    let arrived = format!("select status::text from forward_delivery where event_id = '{id}' order by delivered_at");
    assert_eq!(stage.database.column(&arrived).await, ["200", "200"]);
    let stamps: Vec<_> = of(&shaky, id).iter().map(|one| one.header("webhook-signature").map(str::to_owned)).collect();
    assert!(stamps.iter().all(Option::is_some), "each attempt is signed anew, under the same id");
}

async fn what_a_destination_refuses_is_a_dead_letter_at_once_and_its_replay_is_delivered(kind: QueueKind) {
    let refuse = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&refuse);
    let receiver = Receiver::start(move |_| match switch.load(Ordering::SeqCst) {
        true => Answer { body: "no such order".into(), ..Answer::status(422) },
        false => Answer::status(200),
    })
    .await;
    let stage = stage(kind, &source("shop", &[receiver.url()], true)).await;
    let id = accepted(&stage, "shop", "{}").await;
    stage.becomes(id, "dead").await;
    assert_eq!(of(&receiver, id).len(), 1);
    let shown = stage.lychgate(&["dead-letters", "show", &id.to_string()]).out;
    assert!(shown.contains("422") && shown.contains("no such order"), "{shown}");
    let rehearsed = stage.lychgate(&["dead-letters", "rehearse", &id.to_string(), "--json"]).out;
    assert!(rehearsed.contains("would_be_delivered_to"), "{rehearsed}");
    assert_eq!(of(&receiver, id).len(), 1, "a rehearsal calls nobody");
    refuse.store(false, Ordering::SeqCst);
    let replayed = stage.lychgate(&["dead-letters", "replay", "--id", &id.to_string(), "--yes", "--reason", "fixed"]);
    assert_eq!(replayed.code, 0, "{}{}", replayed.out, replayed.err);
    stage.becomes(id, "succeeded").await;
    assert_eq!(of(&receiver, id).len(), 2);
}

#[tokio::test]
async fn a_destination_that_keeps_failing_is_left_alone_and_the_metrics_say_so() {
    let receiver = Receiver::start(|_| Answer::status(503)).await;
    let settings = format!(
        "{QUICK}[forward]\ntimeout = \"1500ms\"\nbreaker_failures = 3\nbreaker_pause = \"1h\"\n{}",
        source("shop", &[receiver.url()], true)
    );
    let mut stage = Stage::set_with(QueueKind::Store, &settings).await;
    let states = async |worker: &mut Process| {
        let of = async |worker: &mut Process, state| {
            worker.metric("lychgate_breakers", &[("class", "forward"), ("state", state)]).await
        };
        (of(worker, "closed").await, of(worker, "open").await)
    };
    let id = accepted(&stage, "shop", "{}").await;
    let tried = format!("select count(*) from attempt where event_id = '{id}'");
    eventually("a fourth attempt was made", async || match stage.database.count(&tried).await {
        4 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(of(&receiver, id).len(), 3, "the fourth was spared it, and the next waits for the breaker's pause");
    eventually("the metrics show it", async || match states(&mut stage.worker).await {
        (0.0, 1.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_private_address_is_not_called_unless_the_source_allows_it_and_no_redirect_is_followed() {
    let secret_service = Receiver::start(|_| Answer::status(200)).await;
    let to = secret_service.url();
    let bouncing = Receiver::start(move |_| Answer::status(307).header("location", &to)).await;
    let closed = source("closed", &[secret_service.url()], false);
    let named = source("named", &[secret_service.url().replace("127.0.0.1", "localhost")], false);
    let bounced = source("bounced", &[bouncing.url()], true);
    let stage = stage(QueueKind::Store, &format!("{closed}{named}{bounced}")).await;
    for (name, class) in
        [("closed", "forward_forbidden"), ("named", "forward_forbidden"), ("bounced", "forward_redirected")]
    {
        let id = accepted(&stage, name, "{}").await;
        stage.becomes(id, "dead").await;
        assert_eq!(
            stage.database.column(&format!("select class from dead_letter where event_id = '{id}'")).await,
            [class]
        );
    }
    assert!(secret_service.seen().is_empty());
}

async fn a_slow_destination_holds_only_its_own_deliveries(kind: QueueKind) {
    let slow = Receiver::start(|_| Answer { after: Duration::from_secs(60), ..Answer::status(200) }).await;
    let quick = Receiver::start(|_| Answer::status(200)).await;
    let sources = format!("{}{}", source("slow", &[slow.url()], true), source("quick", &[quick.url()], true));
    let stage = stage(kind, &sources).await;
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(accepted(&stage, "slow", "{}").await);
    }
    eventually("the slow one is being called", async || match slow.seen().len() {
        0 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    for _ in 0..20 {
        let id = accepted(&stage, "quick", "{}").await;
        stage.becomes(id, "succeeded").await;
    }
    let open = "select count(*) from event_state where source = 'slow' and finished_at is null";
    assert!(stage.database.count(open).await > 100, "the quick ones did not wait for the slow ones");
}
