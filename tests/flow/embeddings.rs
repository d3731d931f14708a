//! Passages made searchable by meaning, through the real binaries: a small server speaks the OpenAI-compatible interface,
//! and holds what it is asked to its words.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lychgate_tests::{
    fact::eventually,
    http::Request,
    receiver::{Answer, Received, Receiver},
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};

use crate::atomic_guide::SERVICE;

const KEY: &str = "sk-embeddings-0123456789";

/// What the interface says to a request, as its reference documents it; the vectors tell which text they are of.
fn embedded(asked: &Received) -> Answer {
    let error = |status: u16, message: &str| {
        Answer::json(status, &json!({"error": {"message": message, "type": "invalid_request_error", "code": null}}))
    };
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return error(401, "Incorrect API key provided");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&asked.body) else { return error(400, "no JSON") };
    let (Some(model), Some(input)) = (body["model"].as_str(), body["input"].as_array()) else {
        return error(400, "you must provide a model parameter and an input");
    };
    if body["encoding_format"] != "float" || input.iter().any(|text| text.as_str().is_none_or(str::is_empty)) {
        return error(400, "'$.input' is invalid");
    }
    let one = |(index, text): (usize, &Value)| json!({"object": "embedding", "index": index, "embedding": [text.as_str().unwrap().len(), 0.5]});
    // Out of order, which `index` is for.
    let data: Vec<_> = input.iter().enumerate().map(one).rev().collect();
    let usage = json!({"prompt_tokens": 8, "total_tokens": 8});
    Answer::json(200, &json!({"object": "list", "data": data, "model": model, "usage": usage}))
}

fn text(paragraph: usize) -> String {
    format!("Paragraph {paragraph} says what cells are made of, and why. ").repeat(12 + paragraph)
}

/// A server that has both the transcription and the interface, which is away at first; and a stage that knows it.
async fn stage(key: &str) -> (Stage, Receiver) {
    let back = AtomicBool::new(false);
    let server = Receiver::start(move |asked| match asked.path.as_str() {
        "/v1/embeddings" if !back.swap(true, Ordering::SeqCst) => Answer::status(503).header("retry-after", "1"),
        "/v1/embeddings" => embedded(asked),
        _ => {
            let body = (0..5).map(text).collect::<Vec<_>>().join("\n\n");
            Answer { body: Bytes::from(body), ..Answer::status(200) }
        }
    })
    .await;
    let settings = format!(
        "{QUICK}\n[transcription]\nallow = [\"127.0.0.0/8\"]\nallow_http = true\n\
         [embeddings]\nurl = \"{}/v1/embeddings\"\nkey = \"{key}\"\nmodel = \"small\"\nbatch = 2\n\
         [[source]]\nname = \"transcriber\"\npreset = \"service\"\nservice = \"transcriber\"\nsecrets = [\"{SERVICE}\"]\n",
        server.url()
    );
    (Stage::set_with(QueueKind::Store, &settings).await, server)
}

fn completed(server: &Receiver) -> Request {
    let body = json!({"type": "transcription.completed", "data": {"jobId": "j", "videoId": "v", "confidence": 0.9,
        "transcriptionUrl": format!("{}/t.txt", server.url()), "duration": 61, "timestamp": "2024-01-02T12:00:00Z"}});
    Request::post("/webhooks/services/transcriber", body.to_string()).header("X-API-Key", SERVICE)
}

fn asked(server: &Receiver) -> Vec<Value> {
    let calls = server.seen().into_iter().filter(|asked| asked.path == "/v1/embeddings");
    calls.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
}

#[tokio::test]
async fn every_passage_gets_its_own_embedding_once_the_endpoint_is_back() {
    let (stage, server) = stage(KEY).await;
    let id = stage.send(&completed(&server)).await.event_id();
    stage.becomes(id, "succeeded").await;
    let passages = "select count(*) from transcript_passage";
    let passages = usize::try_from(stage.database.count(passages).await).unwrap();
    assert!(passages > 2, "more than one batch: {passages}");
    // The embedding is of the text that it stands beside, whatever the order of the answer.
    let others = "select count(*) from transcript_passage
        where embedding is null or embedding[1] <> octet_length(content) or embedding[2] <> 0.5";
    assert_eq!(stage.database.count(others).await, 0);
    assert_eq!(stage.database.column("select embedding_model from transcript").await, ["small"]);
    let asked = asked(&server);
    let sizes: Vec<_> = asked.iter().map(|body| body["input"].as_array().unwrap().len()).collect();
    assert!(sizes.iter().all(|size| (1..=2).contains(size)), "never more than `batch`: {sizes:?}");
    // The first call was refused for a passing reason, and its batch asked for again.
    assert_eq!(sizes.iter().sum::<usize>(), passages + 2, "{sizes:?}");
    assert_eq!(asked[0], asked[1]);
    let attempts = format!("select count(*) from attempt where event_id = '{id}'");
    assert_eq!(stage.database.count(&attempts).await, 2);
}

#[tokio::test]
async fn a_key_that_the_endpoint_does_not_know_is_a_dead_letter_that_says_so_and_not_the_key() {
    let (stage, server) = stage("sk-wrong-0123456789").await;
    let id = stage.send(&completed(&server)).await.event_id();
    stage.becomes(id, "dead").await;
    let said = "select message from dead_letter";
    eventually("the reason is recorded", async || match stage.database.column(said).await.as_slice() {
        [found] if found.contains("the embeddings' endpoint answered 401") => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await;
    assert_eq!(stage.database.count("select count(*) from transcript_passage").await, 0, "all or nothing");
    let shown = stage.lychgate(&["dead-letters", "show", &id.to_string()]);
    assert!(shown.code == 0 && !shown.out.contains("sk-wrong"), "{shown:?}");
}
