//! Secrets are rotated under load: no request is refused, and the old secret's last use is shown.

use std::sync::{Arc, Mutex};

use lychgate_tests::{
    Directory, Process, eventually,
    http::Request,
    ledger::{Ledger, Outcome},
    load::{Load, Target},
    sender::hex_sha256,
    stage::{QUICK, QueueKind, Stage},
};
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};

const OLD: &str = "old-secret-0123456789abcdef0123";
const NEW: &str = "new-secret-0123456789abcdef0123";

fn source(secrets: &[&str]) -> String {
    format!("[[source]]\nname = \"shop\"\npath = \"/in/shop\"\nsecrets = {secrets:?}\n")
}

fn label(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret)[..4])
}

/// Writes the settings anew where the process reads them, and has it read them again.
async fn reload(process: &Process, change: impl Fn(&str) -> String) {
    let file = process.directory().path().join("lychgate.toml");
    let before = reloads(process);
    std::fs::write(&file, change(&std::fs::read_to_string(&file).unwrap())).unwrap();
    process.signal(Signal::HUP);
    eventually("the process has read its settings again", async || match reloads(process) {
        now if now > before => Ok(()),
        _ => Err(process.output()),
    })
    .await;
}

fn reloads(process: &Process) -> usize {
    ["the sources were reloaded", "the settings were not reloaded"]
        .iter()
        .map(|line| process.output().matches(line).count())
        .sum()
}

#[tokio::test]
async fn secrets_are_rotated_under_load_without_one_refused_request() {
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{}", source(&[OLD]))).await;
    let signing = Arc::new(Mutex::new(OLD));
    let with = Arc::clone(&signing);
    let build = move |n: usize| {
        let body = format!(r#"{{"n":{n}}}"#);
        let signature = hex_sha256(with.lock().unwrap().as_bytes(), body.as_bytes());
        let request = Request::post("/in/shop", body).header("X-Webhook-Signature", signature);
        (format!("key-{n}"), request.header("Idempotency-Key", format!("key-{n}")))
    };
    let directory = Directory::new("rotation");
    let ledger = Arc::new(Ledger::open(directory.path(), "shop"));
    let load = Load::start(Target::new(stage.address), 8, Arc::clone(&ledger), Arc::new(build));
    load.more(100).await;
    reload(&stage.gateway, |text| text.replace(&source(&[OLD]), &source(&[NEW, OLD]))).await;
    load.more(100).await;
    *signing.lock().unwrap() = NEW;
    // What was signed with the old secret has been answered once each of the senders had two more answers.
    load.more(100).await;
    reload(&stage.gateway, |text| text.replace(&source(&[NEW, OLD]), &source(&[NEW]))).await;
    load.more(100).await;
    let acknowledged = load.stop().await;
    assert_eq!(
        (ledger.count(Outcome::Rejected), ledger.count(Outcome::Unknown)),
        (0, 0),
        "{acknowledged} acknowledged"
    );

    assert_eq!(stage.send(&signed(OLD)).await.status, 401, "the old secret is gone");
    assert!(stage.send(&signed(NEW)).await.is_success());
    let listed = eventually("both secrets' uses are noted", async || {
        let listed = secrets(&stage);
        let uses: i64 = listed.iter().map(|line| line["uses"].as_i64().unwrap()).sum();
        if uses == i64::try_from(acknowledged).unwrap() + 1 { Ok(listed) } else { Err(format!("{listed:?}")) }
    })
    .await;
    let of = |secret: &str| listed.iter().find(|line| line["label"] == label(secret)).unwrap();
    assert!(of(OLD)["uses"].as_i64().unwrap() >= 200 && of(NEW)["uses"].as_i64().unwrap() >= 200);
    assert!(of(OLD)["last_used_at"].as_str() < of(NEW)["last_used_at"].as_str());
}

fn signed(secret: &str) -> Request {
    Request::post("/in/shop", "{}").header("X-Webhook-Signature", hex_sha256(secret.as_bytes(), b"{}"))
}

fn secrets(stage: &Stage) -> Vec<Value> {
    let ran = stage.lychgate(&["secrets", "list", "--source", "shop", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn settings_with_a_mistake_change_nothing_and_a_source_that_is_added_is_there() {
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{}", source(&[OLD]))).await;
    reload(&stage.gateway, |text| text.replace(&source(&[OLD]), &source(&[]))).await;
    assert!(stage.gateway.output().contains("source[shop].secrets"), "{}", stage.gateway.output());
    assert!(stage.send(&signed(OLD)).await.is_success(), "what was in force stays in force");
    let more = "[[source]]\nname = \"more\"\npath = \"/in/more\"\nsecrets = [\"more-secret\"]\n";
    reload(&stage.gateway, |text| format!("{}{more}", text.replace(&source(&[]), &source(&[NEW])))).await;
    assert_eq!(stage.send(&signed(OLD)).await.status, 401);
    assert!(stage.send(&signed(NEW)).await.is_success());
    let added = Request::post("/in/more", "{}").header("X-Webhook-Signature", hex_sha256(b"more-secret", b"{}"));
    assert!(stage.send(&added).await.is_success());
}
