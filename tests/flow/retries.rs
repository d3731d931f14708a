//! A passing fault climbs the schedule, a lasting one does not; what died comes back to life exactly once.

use lychgate_tests::{
    Database,
    receiver::Answer,
    sender::{faithflow, github},
    settings::secrets::GITHUB,
    stage::{self, QUICK, QueueKind, Ran, Stage},
};
use serde_json::Value;
use uuid::Uuid;

use crate::campus::{Campus, MEMBER};

/// The levels of [`QUICK`].
const LEVELS: [f64; 5] = [0.1, 0.2, 0.3, 0.4, 0.5];

async fn send(campus: &Campus, member: &str) -> Uuid {
    let reply = campus.stage.send(&faithflow(&campus.secret, campus.body("member.updated", member, 1))).await;
    assert_eq!(reply.status, 202, "it could not be processed at once, and is safe: {reply:?}");
    assert_eq!(reply.json()["message"], "Member update accepted");
    reply.event_id()
}

async fn attempts(campus: &Campus, id: Uuid) -> Vec<(String, f64)> {
    let client = campus.stage.database.connect().await;
    let rows =
        "select outcome, extract(epoch from started_at)::float8 from attempt where event_id = $1 order by attempt";
    client.query(rows, &[&id]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn one_line(listed: &Ran) -> Value {
    assert_eq!(listed.code, 0, "{listed:?}");
    let lines: Vec<_> = listed.out.lines().collect();
    assert_eq!(lines.len(), 1, "{listed:?}");
    serde_json::from_str(lines[0]).unwrap()
}

async fn climbs_dies_and_is_replayed(kind: QueueKind) {
    let campus = Campus::set(kind).await;
    campus.core.fail_with(Answer::status(503));
    let id = send(&campus, MEMBER).await;
    campus.stage.becomes(id, "dead").await;

    let tried = attempts(&campus, id).await;
    assert_eq!(tried.len(), 6, "the first, and one after each of the five levels: {tried:?}");
    assert!(tried.iter().all(|(outcome, _)| outcome == "temporary"), "{tried:?}");
    for (level, pair) in LEVELS.iter().zip(tried.windows(2)) {
        assert!(pair[1].1 - pair[0].1 >= *level, "never earlier than its level: {level} {tried:?}");
    }
    let dead = "select attempts || '|' || class || '|' || (error ? 'message' and error ? 'stack' and error ? 'timestamp') \
                || '|' || (jsonb_array_length(error->'stack') > 0) from dead_letter";
    assert_eq!(campus.stage.database.column(dead).await, ["6|core_busy|true|true"]);

    let letter = one_line(&campus.stage.lychgate(&["dead-letters", "list", "--json"]));
    assert!(letter.to_string().contains(&id.to_string()), "{letter}");
    let shown = campus.stage.lychgate(&["dead-letters", "show", &id.to_string()]);
    assert!(shown.code == 0 && shown.out.contains("503"), "the cause is told: {shown:?}");

    campus.core.heal();
    let by_id = ["--id", &id.to_string(), "--reason", "the core API is back"];
    let dry = campus.stage.lychgate(&[&["dead-letters", "replay", "--dry-run"][..], &by_id].concat());
    assert_eq!(dry.code, 0, "{dry:?}");
    campus.stage.becomes(id, "dead").await;
    let replay = campus.stage.lychgate(&[&["dead-letters", "replay", "--yes"][..], &by_id].concat());
    assert_eq!(replay.code, 0, "{replay:?}");
    campus.stage.becomes(id, "succeeded").await;
    assert_eq!(campus.stage.database.column("select name from members").await, ["SUMARNI NINGSIH"]);
    assert_eq!(attempts(&campus, id).await.len(), 7);
    assert_eq!(campus.stage.database.count("select count(*) from dead_letter").await, 0);
    let audited = "select count(*) from audit where reason = 'the core API is back'";
    assert!(campus.stage.database.count(audited).await >= 1, "who replayed it, and why, is kept");
}

#[tokio::test]
async fn a_temporary_failure_climbs_five_levels_dies_and_is_replayed_over_the_store() {
    climbs_dies_and_is_replayed(QueueKind::Store).await;
}

#[tokio::test]
async fn a_temporary_failure_climbs_five_levels_dies_and_is_replayed_over_rabbitmq() {
    climbs_dies_and_is_replayed(QueueKind::Broker).await;
}

#[tokio::test]
async fn a_permanent_failure_is_a_dead_letter_at_once() {
    let campus = Campus::set(QueueKind::Store).await;
    let reply = campus.stage.send(&faithflow(&campus.secret, campus.body("member.updated", "nobody", 1))).await;
    let id = reply.event_id();
    campus.stage.becomes(id, "dead").await;
    let tried = attempts(&campus, id).await;
    assert_eq!(tried.iter().map(|(outcome, _)| outcome.as_str()).collect::<Vec<_>>(), ["permanent"]);
    let dead = "select class || '|' || (error->>'message') from dead_letter";
    assert_eq!(campus.stage.database.column(dead).await, ["member_not_found|Member not found"]);
}

#[tokio::test]
async fn a_passing_failure_that_passes_is_no_dead_letter() {
    for kind in [QueueKind::Store, QueueKind::Broker] {
        let campus = Campus::set_with(kind, &QUICK.replace("\"500ms\"]", "\"500ms\", \"10s\", \"20s\"]")).await;
        campus.core.fail_with(Answer::status(500));
        let id = send(&campus, MEMBER).await;
        campus.stage.becomes(id, "retrying").await;
        campus.core.heal();
        campus.stage.becomes(id, "succeeded").await;
        assert_eq!(campus.stage.database.count("select count(*) from dead_letter").await, 0);
    }
}

#[tokio::test]
async fn a_destination_that_asks_for_patience_gets_it() {
    // Once as long as a level lasts, and once longer than any of them does.
    for levels in ["\"100ms\", \"2s\"", "\"100ms\", \"200ms\""] {
        let schedule = QUICK.replace("\"100ms\", \"200ms\", \"300ms\", \"400ms\", \"500ms\"", levels);
        for kind in [QueueKind::Store, QueueKind::Broker] {
            let campus = Campus::set_with(kind, &schedule).await;
            campus.core.fail_with(Answer::status(429).header("retry-after", "1"));
            let id = send(&campus, MEMBER).await;
            campus.stage.becomes(id, "retrying").await;
            campus.core.heal();
            campus.stage.becomes(id, "succeeded").await;
            let tried = attempts(&campus, id).await;
            assert!(tried[1].1 - tried[0].1 >= 1.0, "{kind:?}, levels {levels}: {tried:?}");
        }
    }
}

#[tokio::test]
async fn a_discarded_dead_letter_is_not_processed_and_says_why() {
    let campus = Campus::set(QueueKind::Store).await;
    let reply = campus.stage.send(&faithflow(&campus.secret, campus.body("member.updated", "nobody", 1))).await;
    let id = reply.event_id();
    campus.stage.becomes(id, "dead").await;
    let discard = ["dead-letters", "discard", "--yes", "--id", &id.to_string(), "--reason", "a test member"];
    let discarded = campus.stage.lychgate(&discard);
    assert_eq!(discarded.code, 0, "{discarded:?}");
    campus.stage.becomes(id, "discarded").await;
    let audited = "select count(*) from audit where reason = 'a test member'";
    assert_eq!(campus.stage.database.count(audited).await, 1);
}

#[tokio::test]
async fn an_event_of_a_source_that_the_worker_does_not_know_yet_is_not_ignored() {
    let database = Database::fresh().await;
    let workers = stage::settings(database.url(), None).with(QUICK).with_sources();
    let news = format!("[[source]]\nname = \"news\"\npreset = \"github\"\npath = \"/in/news\"\nsecrets = [{GITHUB:?}]");
    let gateways = workers.clone().with(&news);
    let mut stage = Stage::with_settings(database, workers).await;
    let mut gateway = stage::gateway(&gateways);
    gateway.ready().await;
    let request = github("/in/news", GITHUB, "d1", "push", b"{}".to_vec());
    let reply = request.send(gateway.address("listen").await).await.unwrap();
    assert!(reply.is_success(), "{reply:?}");
    let id = reply.event_id();
    stage.becomes(id, "dead").await;
    let letter = stage.lychgate(&["dead-letters", "show", &id.to_string()]);
    assert!(letter.out.contains("source_unknown") && letter.out.contains("no source `news`"), "{letter:?}");

    stage.worker = stage::worker(&gateways);
    stage.worker.ready().await;
    let replayed =
        stage.lychgate(&["dead-letters", "replay", "--id", &id.to_string(), "--reason", "it is known now", "--yes"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    stage.becomes(id, "ignored").await;
}
