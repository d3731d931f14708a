//! Secrets are rotated under load: no request is refused, and the old secret's last use is shown.

use std::sync::{Arc, Mutex};

use lychgate_tests::{
    Directory, Process, Program, eventually,
    http::Request,
    ledger::{Ledger, Outcome},
    load::{Load, Target},
    sender::hex_sha256,
    stage::{QUICK, QueueKind, Stage, ran},
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

on_both!(secrets_are_rotated_under_load_without_one_refused_request);

async fn secrets_are_rotated_under_load_without_one_refused_request(kind: QueueKind) {
    let stage = Stage::set_with(kind, &format!("{QUICK}{}", source(&[OLD]))).await;
    let signing = Arc::new(Mutex::new((OLD, Vec::new())));
    let with = Arc::clone(&signing);
    let build = move |n: usize| {
        let (key, body) = (format!("key-{n}"), format!(r#"{{"n":{n}}}"#));
        let mut signing = with.lock().unwrap();
        let signature = hex_sha256(signing.0.as_bytes(), body.as_bytes());
        signing.1.push(key.clone());
        let request = Request::post("/in/shop", body).header("X-Webhook-Signature", signature);
        (key.clone(), request.header("Idempotency-Key", key))
    };
    let directory = Directory::new("rotation");
    let ledger = Arc::new(Ledger::open(directory.path(), "shop"));
    let load = Load::start(Target::new(stage.address), 8, Arc::clone(&ledger), Arc::new(build));
    load.more(100).await;
    reload(&stage.gateway, |text| text.replace(&source(&[OLD]), &source(&[NEW, OLD]))).await;
    load.more(100).await;
    let with_old = {
        let mut signing = signing.lock().unwrap();
        signing.0 = NEW;
        std::mem::take(&mut signing.1)
    };

    // The operator looks, with both in force and under load: the old one's uses stand still, the new one's go on.
    let seen = eventually("the old secret is used no more", async || {
        let listed = secrets(&stage);
        let (old, new) = (of(&listed, OLD), of(&listed, NEW));
        assert_eq!((&old["in_force"], &new["in_force"]), (&Value::Bool(true), &Value::Bool(true)));
        let over = old["uses"].as_u64() == u64::try_from(with_old.len()).ok();
        let later = new["last_used_at"].as_str() > old["last_used_at"].as_str();
        if over && later { Ok(old.clone()) } else { Err(format!("{} by {}, {listed:?}", OLD, with_old.len())) }
    })
    .await;
    let shown = list(&stage, &[]);
    let line = shown.lines().find(|line| line.starts_with(&label(OLD))).unwrap();
    let last = seen["last_used_at"].as_str().unwrap();
    assert!(line.contains("in force") && line.ends_with(&format!("last {last}")), "{shown}");

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
    let listed = eventually("every use is noted", async || {
        let listed = secrets(&stage);
        let uses: u64 = listed.iter().map(|line| line["uses"].as_u64().unwrap()).sum();
        if uses == u64::try_from(acknowledged).unwrap() + 1 { Ok(listed) } else { Err(format!("{listed:?}")) }
    })
    .await;
    let gone = of(&listed, OLD);
    assert_eq!((&gone["in_force"], &gone["last_used_at"]), (&Value::Bool(false), &seen["last_used_at"]));
    assert_eq!(gone["uses"], seen["uses"], "the attempt after its end is no use");
}

fn of<'a>(listed: &'a [Value], secret: &str) -> &'a Value {
    listed.iter().find(|line| line["label"] == label(secret)).unwrap()
}

fn signed(secret: &str) -> Request {
    Request::post("/in/shop", "{}").header("X-Webhook-Signature", hex_sha256(secret.as_bytes(), b"{}"))
}

/// `lychgate secrets list` with the very settings that the gateway has in force.
fn list(stage: &Stage, more: &[&str]) -> String {
    let directory = stage.gateway.directory().path();
    let mut command = Program::Lychgate.command();
    command.args(["secrets", "list", "--source", "shop"]).args(more);
    let ran = ran(command.arg("--config").arg(directory.join("lychgate.toml")).current_dir(directory));
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

fn secrets(stage: &Stage) -> Vec<Value> {
    list(stage, &["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
