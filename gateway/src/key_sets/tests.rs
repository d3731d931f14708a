//! A key server of our own: asked when needed, once for a crowd, and believed only within its limits.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::Full;
use hyper::{HeaderMap, Method, Response, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use lychgate_common::source::{Jws, JwsAlgorithm, KeyServer, Profile, Verifier, preset};
use tokio::{net::TcpListener, task::JoinHandle};

use super::*;

/// `{"alg":"EdDSA","kid":"new"}`, no claims, no good signature: enough to be asked for.
const TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im5ldyJ9.e30.AA";
const SET: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"new","x":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"}]}"#;

struct Publisher {
    url: String,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Publisher {
    async fn start(status: u16, headers: &'static [(&'static str, &'static str)], body: String) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (counter, body) = (Arc::clone(&counter), body.clone());
                let service = service_fn(move |_: Request<Incoming>| {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let response =
                        headers.iter().fold(Response::builder().status(status), |response, (name, value)| {
                            response.header(*name, *value)
                        });
                    std::future::ready(Ok::<_, Infallible>(
                        response.body(Full::new(Bytes::from(body.clone()))).unwrap(),
                    ))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, asked, server }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn source(&self) -> (Source, KeyServer) {
        let server = KeyServer::new(self.url.parse().unwrap());
        let jws = Jws { algorithms: JwsAlgorithm::PUBLIC.to_vec(), server: Some(server.clone()), ..Jws::bearer() };
        let profile = Profile { verifier: Verifier::Jws(jws), ..(preset::named("internal").unwrap().profile)() };
        (Source::new("internal", profile, &[]).unwrap(), server)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn refresh(sets: &KeySets, source: &Source) {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
    let request = source::Request {
        method: &Method::POST,
        uri: &Uri::from_static("/webhooks/internal/order.updated"),
        public_url: None,
        headers: &headers,
        params: &[],
        body: &Bytes::new(),
        received_at: Timestamp::UNIX_EPOCH,
    };
    sets.refresh(source, &request).await;
}

#[tokio::test]
async fn a_crowd_with_an_unknown_key_asks_once() {
    let publisher = Publisher::start(200, &[], SET.to_owned()).await;
    let (source, server) = publisher.source();
    let sets = KeySets::new();
    futures_util::future::join_all((0..20).map(|_| refresh(&sets, &source))).await;
    assert_eq!((publisher.asked(), server.keys().len()), (1, 1));
    refresh(&sets, &source).await;
    assert_eq!(publisher.asked(), 1, "the key is known now");
}

#[tokio::test]
async fn who_comes_while_the_set_is_fetched_waits_for_it() {
    let publisher = Publisher::start(200, &[], SET.to_owned()).await;
    let (source, server) = publisher.source();
    let sets = KeySets::new();
    let gate = server.gate().lock().await;
    server.asking(std::time::Instant::now());
    let late = refresh(&sets, &source);
    tokio::pin!(late);
    assert!(futures_util::poll!(&mut late).is_pending(), "its token would be refused for a key that is on its way");
    server.answered(SET.as_bytes(), std::time::Instant::now()).unwrap();
    drop(gate);
    late.await;
    assert_eq!((publisher.asked(), server.keys().len()), (0, 1));
}

#[tokio::test]
async fn a_key_that_nobody_publishes_is_not_asked_for_again_within_the_cool_down() {
    let publisher = Publisher::start(200, &[], SET.replace("new", "other")).await;
    let (source, server) = publisher.source();
    let sets = KeySets::new();
    for _ in 0..5 {
        refresh(&sets, &source).await;
    }
    assert_eq!((publisher.asked(), server.is_unreachable()), (1, false));
}

#[tokio::test]
async fn redirects_errors_and_floods_are_no_key_sets() {
    let elsewhere = Publisher::start(200, &[], SET.to_owned()).await;
    let location: &'static str = elsewhere.url.clone().leak();
    let redirect: &'static [(&str, &str)] = vec![("location", location)].leak();
    let flood = format!("{SET}{}", " ".repeat(SET_LIMIT));
    for (status, headers, body) in [(302, redirect, String::new()), (500, &[][..], SET.to_owned()), (200, &[], flood)] {
        let publisher = Publisher::start(status, headers, body).await;
        let (source, server) = publisher.source();
        refresh(&KeySets::new(), &source).await;
        assert_eq!((publisher.asked(), server.keys().len(), server.is_unreachable()), (1, 0, true), "{status}");
    }
    assert_eq!(elsewhere.asked(), 0);
}
