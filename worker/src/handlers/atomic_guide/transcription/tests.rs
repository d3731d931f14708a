//! Fetching with all its limits, the forms of transcriptions, passages, embeddings.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lychgate_common::settings::ByteSize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    super::{
        fields::{self, Fields},
        tests::{cells, event},
    },
    passages::cut,
    text::{Line, Spoken, read},
    *,
};

/// A server that answers path by path, and what it was asked.
async fn server(answer: impl Fn(&str, &str) -> Response<Full<Bytes>> + Send + Sync + 'static) -> (String, Asked) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answer, asked) = (Arc::new(answer), Asked::default());
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            let service = service_fn(move |request: Request<Incoming>| {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let body = String::from_utf8_lossy(&body).into_owned();
                    let response = answer(head.uri.path(), &body);
                    let bearer = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                    seen.lock().unwrap().push((head.uri.path().to_owned(), bearer, body));
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, asked)
}

type Asked = Arc<Mutex<Vec<(String, Option<String>, String)>>>;

fn plain(text: &str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())))
}

fn status(status: u16, location: &str) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    if !location.is_empty() {
        response = response.header("location", location);
    }
    response.body(Full::default()).unwrap()
}

fn local() -> TranscriptionSettings {
    TranscriptionSettings {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        allow_http: true,
        max_body: ByteSize::new(1 << 10),
        timeout: Duration::from_secs(2),
        ..TranscriptionSettings::default()
    }
}

async fn completed(
    settings: &TranscriptionSettings,
    embeddings: &EmbeddingsSettings,
    url: &str,
) -> Result<Vec<Change>, Failure> {
    let body = json!({"data": {"jobId": "j1", "videoId": "v1", "transcriptionUrl": url, "confidence": 0.93,
        "duration": "61.5", "timestamp": "2024-01-01T12:00:00Z"}});
    let event = event("transcription.completed", 0, &body);
    let payload = fields::parse(&event.body)?;
    let told = Told::new(&event, Fields::root(&payload)?.object("data")?);
    Transcriptions::open(settings, embeddings, &Clock::system()).unwrap().completed(&told).await
}

async fn refused(settings: &TranscriptionSettings, url: &str) -> (&'static str, bool) {
    let failure = completed(settings, &EmbeddingsSettings::default(), url).await.unwrap_err();
    (failure.cause().class, matches!(failure, Failure::Permanent(_)))
}

#[tokio::test]
async fn a_transcription_is_fetched_stored_and_cut() {
    let (url, _) = server(|path, _| match path {
        "/t" => status(302, "/moved"),
        _ => plain(
            "WEBVTT\n\n1\n00:01.000 --> 00:02.500\n<v Jane>Cells have\nwalls.\n\n00:03.000 --> 00:04.000\nNot all.",
        ),
    })
    .await;
    let changes = completed(&local(), &EmbeddingsSettings::default(), &format!("{url}/t")).await.unwrap();
    let transcript = cells(&changes[0], &["video_id", "job_id", "format", "content", "duration_seconds", "passages"]);
    assert_eq!(transcript, json!(["v1", "j1", "vtt", "Cells have walls.\nNot all.", 61.5, 1]));
    let passage = cells(&changes[1], &["position", "start_seconds", "end_seconds", "content", "embedding"]);
    assert_eq!(passage, json!([0, 1.0, 4.0, "Cells have walls. Not all.", null]));
}

#[tokio::test]
async fn only_public_https_addresses_are_called_and_redirects_are_looked_at_again() {
    let strict = TranscriptionSettings::default();
    for url in ["http://example.com/t", "ftp://example.com/t", "file:///etc/passwd", "nonsense", "https://u:p@e.org/"] {
        assert_eq!(refused(&strict, url).await, ("transcription_forbidden", true), "{url}");
    }
    for url in ["https://127.0.0.1/t", "https://[::1]/t", "https://169.254.169.254/", "https://localhost/t"] {
        assert_eq!(refused(&strict, url).await, ("transcription_forbidden", true), "{url}");
    }
    let (url, asked) = server(|path, _| match path {
        "/inside" => status(302, "http://10.0.0.1/secret"),
        "/other" => status(301, "gopher://example.com/"),
        "/nowhere" => status(302, ""),
        _ => status(307, "/round"),
    })
    .await;
    for (path, class) in [
        ("/inside", "transcription_forbidden"),
        ("/other", "transcription_forbidden"),
        ("/nowhere", "transcription_refused"),
        ("/round", "transcription_refused"),
    ] {
        assert_eq!(refused(&local(), &format!("{url}{path}")).await, (class, true), "{path}");
    }
    assert_eq!(
        asked.lock().unwrap().iter().filter(|(path, ..)| path == "/round").count(),
        4,
        "one and three redirects"
    );
}

#[tokio::test]
async fn what_the_other_side_says_decides_whether_it_is_tried_again() {
    let (url, _) = server(|path, _| match path {
        "/gone" => status(404, ""),
        "/busy" => status(429, ""),
        "/broken" => status(503, ""),
        "/empty" => plain("  \n\n "),
        _ => plain(&"x".repeat(2 << 10)),
    })
    .await;
    for (path, class, permanent) in [
        ("/gone", "transcription_refused", true),
        ("/busy", "transcription_refused", false),
        ("/broken", "transcription_refused", false),
        ("/empty", "transcription_unreadable", true),
        ("/large", "transcription_too_large", true),
    ] {
        assert_eq!(refused(&local(), &format!("{url}{path}")).await, (class, permanent), "{path}");
    }
}

#[tokio::test]
async fn passages_are_embedded_in_batches_and_in_their_order() {
    let long: String = (0..70).map(|nth| format!("Sentence number {nth} is about cells and their walls. ")).collect();
    let (url, asked) = server(move |path, body| match path {
        "/t" => plain(&long),
        _ => {
            let input: Value = serde_json::from_str(body).unwrap();
            let count = input["input"].as_array().unwrap().len();
            let data: Vec<_> = (0..count).rev().map(|at| json!({"index": at, "embedding": [at, 0.5]})).collect();
            plain(&json!({ "data": data }).to_string())
        }
    })
    .await;
    let embeddings = EmbeddingsSettings {
        url: Some(format!("{url}/v1/embeddings").parse().unwrap()),
        key: Some("sk-test".into()),
        batch: 2,
        ..EmbeddingsSettings::default()
    };
    let settings = TranscriptionSettings { max_body: ByteSize::new(1 << 20), ..local() };
    let changes = completed(&settings, &embeddings, &format!("{url}/t")).await.unwrap();
    assert_eq!(cells(&changes[0], &["embedding_model"]), json!(["text-embedding-3-small"]));
    let first: Vec<_> = changes[1..].iter().map(|change| cells(change, &["embedding"])[0][0].clone()).collect();
    assert_eq!(first, [json!(0.0), json!(1.0), json!(0.0), json!(1.0)]);
    let asked = asked.lock().unwrap();
    let calls: Vec<_> = asked.iter().filter(|(path, ..)| path == "/v1/embeddings").collect();
    assert!(calls.iter().all(|(_, bearer, _)| bearer.as_deref() == Some("Bearer sk-test")));
    assert_eq!(calls.len(), 2);
}

#[tokio::test]
async fn half_of_the_embeddings_is_none() {
    let (url, _) = server(|path, _| match path {
        "/t" => plain("Cells."),
        "/half" => plain(r#"{"data": []}"#),
        "/other" => plain("<html>"),
        _ => status(401, ""),
    })
    .await;
    for (path, class) in
        [("/half", "embedding_unreadable"), ("/other", "embedding_unreadable"), ("/key", "embedding_refused")]
    {
        let embeddings =
            EmbeddingsSettings { url: Some(format!("{url}{path}").parse().unwrap()), ..Default::default() };
        let failure = completed(&local(), &embeddings, &format!("{url}/t")).await.unwrap_err();
        assert_eq!((failure.cause().class, matches!(failure, Failure::Permanent(_))), (class, true), "{path}");
    }
}

#[test]
fn every_form_of_transcription_is_read() {
    let line =
        |text: &str, start: Option<f64>| Line { text: text.to_owned(), start, end: start.map(|start| start + 1.0) };
    for (text, format, lines) in [
        ("One.\n\nTwo\nthree.", "plain", vec![line("One.", None), line("Two three.", None)]),
        (
            "1\r\n00:00:01,000 --> 00:00:02,000\r\nOne.\r\n\r\n2\r\n01:00:00,500 --> 01:00:01,500\r\nTwo.",
            "srt",
            vec![line("One.", Some(1.0)), line("Two.", Some(3600.5))],
        ),
        (r#"{"segments":[{"start":1,"end":2,"text":" One. "},{"text":""}]}"#, "json", vec![line("One.", Some(1.0))]),
        (r#"{"text":"One."}"#, "json", vec![line("One.", None)]),
        ("{not json}", "plain", vec![line("{not json}", None)]),
    ] {
        assert_eq!(read(text).unwrap(), Spoken { format, lines }, "{text}");
    }
    assert!(read("{}").is_err());
}

#[test]
fn passages_keep_every_word_and_stay_short() {
    let words: Vec<String> = (0..3000).map(|nth| format!("wörd{nth}{}", if nth % 9 == 8 { "." } else { "" })).collect();
    let lines = [Line { text: words.join(" "), start: Some(1.0), end: Some(2.0) }];
    let passages = cut(&lines);
    assert!(passages.len() > 10 && passages.iter().all(|passage| passage.text.len() <= 1200));
    let kept: Vec<&str> = passages.iter().flat_map(|passage| passage.text.split(' ')).collect();
    assert_eq!(kept, words);
    let endless = [Line { text: "é".repeat(5000), start: None, end: None }];
    assert_eq!(cut(&endless).iter().map(|passage| passage.text.chars().count()).sum::<usize>(), 5000);
}
