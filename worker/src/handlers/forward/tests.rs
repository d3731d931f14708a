//! What answers mean, what a delivery looks like, and that nobody is called who must not be.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use lychgate_common::{event::EventId, settings::ForwardSettings};

use super::*;
use crate::{
    breaker::Open,
    http::{Answer, HttpError},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn forward(urls: &[&str]) -> Forward {
    let urls: Vec<_> = urls.iter().map(|url| url.parse().unwrap()).collect();
    Forward::new(&urls, &[SECRET.into()], false).unwrap()
}

fn event() -> Event {
    Event {
        id: EventId::new(Timestamp::UNIX_EPOCH),
        source: "ci".into(),
        preset: "github".into(),
        tenant: "".into(),
        kind: "push".into(),
        subject: None,
        occurred_at: None,
        received_at: Timestamp::UNIX_EPOCH,
        body: Bytes::from_static(b"{\"a\": 1}"),
    }
}

fn answer(status: u16, retry_after: Option<u64>, body: &'static str) -> Result<Answer, NoAnswer> {
    let status = StatusCode::from_u16(status).unwrap();
    Ok(Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        location: None,
        body: Bytes::from_static(body.as_bytes()),
    })
}

fn judged(answer: Result<Answer, NoAnswer>) -> Option<Failure> {
    let forward = forward(&["https://ci.example.com/hooks?token=hunter2"]);
    let destination = &forward.destinations()[0];
    let judged = judge("the destination".into(), destination, answer, Timestamp::UNIX_EPOCH);
    judged.err().and_then(|missed| failure(vec![missed]))
}

#[test]
fn every_answer_is_success_passing_or_final() {
    for status in [200, 201, 202, 204, 299] {
        assert!(judged(answer(status, None, "")).is_none(), "{status}");
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        assert!(matches!(judged(answer(status, None, "")), Some(Failure::Temporary { .. })), "{status}");
    }
    for status in [301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 451] {
        assert!(matches!(judged(answer(status, None, "")), Some(Failure::Permanent(_))), "{status}");
    }
    let limited = judged(answer(429, Some(90), "")).unwrap();
    assert!(matches!(limited, Failure::Temporary { retry_after: Some(wait), .. } if wait.as_secs() == 90));
}

#[test]
fn silence_passes_and_what_was_never_tried_costs_nothing() {
    let open = Open { retry_in: Duration::from_secs(9) };
    assert!(matches!(judged(Err(NoAnswer::Open(open))), Some(Failure::Temporary { retry_after: Some(_), .. })));
    let late = HttpError::TimedOut(Duration::from_secs(10));
    assert!(matches!(judged(Err(NoAnswer::Http(late))), Some(Failure::Temporary { retry_after: None, .. })));
    assert!(matches!(judged(Err(NoAnswer::Crowded(16))), Some(Failure::Ours(_))));
}

#[test]
fn the_sender_learns_no_address_and_the_operator_no_query() {
    let failure = judged(answer(500, None, "stack trace\0 of theirs")).unwrap();
    assert_eq!(failure.cause().message, "the destination answered 500 Internal Server Error");
    let stack = failure.cause().stack();
    assert_eq!(stack[1], "https://ci.example.com/hooks answered 500 Internal Server Error: stack trace  of theirs");
}

#[test]
fn of_several_the_one_that_may_still_arrive_decides() {
    let forward = forward(&["https://a.example/", "https://b.example/", "https://c.example/"]);
    let judge = |nth: usize, status| {
        let destination = &forward.destinations()[nth];
        judge(format!("destination {nth}"), destination, answer(status, None, ""), Timestamp::UNIX_EPOCH)
    };
    let missed = vec![judge(0, 404).unwrap_err(), judge(1, 503).unwrap_err()];
    let decisive = failure(missed).unwrap();
    assert!(matches!(decisive, Failure::Temporary { .. }));
    assert_eq!(decisive.cause().class, "forward_failing");
    assert!(decisive.cause().stack()[1].contains("a.example") && decisive.cause().stack()[1].contains("b.example"));
    assert!(matches!(failure(vec![judge(2, 404).unwrap_err()]), Some(Failure::Permanent(_))));
}

#[test]
fn a_delivery_carries_the_bytes_as_they_came_and_says_whose_they_are() {
    let forward = forward(&["https://ci.example.com/hooks?token=x"]);
    let known = Forwarding {
        content_type: Some("application/x-www-form-urlencoded".into()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        delivered: Vec::new(),
    };
    let (event, now) = (event(), Timestamp::from_second(1_614_265_330).unwrap());
    let request = request::request(&event, &forward, &forward.destinations()[0], &known, now).unwrap();
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("webhook-id"), header("lychgate-event-id")), (event.id.to_string(), event.id.to_string()));
    assert_eq!(header("webhook-timestamp"), "1614265330");
    assert_eq!(header("webhook-signature"), forward.signature(event.id, 1_614_265_330, &event.body));
    assert_eq!((header("lychgate-source"), header("lychgate-event-type")), ("ci".into(), "push".into()));
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert!(header("traceparent").starts_with("00-0af7"));
    assert!(!request.headers().contains_key("lychgate-tenant"));
    assert_eq!(request.uri().to_string(), "https://ci.example.com/hooks?token=x");
}

#[tokio::test]
async fn a_private_destination_is_called_only_where_the_source_or_the_allow_list_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let call = async |settings: ForwardSettings, private: bool, host: &str| {
        let forward = forward(&[&format!("http://{host}:{}/", address.port())]);
        let (event, now) = (event(), Timestamp::UNIX_EPOCH);
        let destination = &forward.destinations()[0];
        let request = request::request(&event, &forward, destination, &Forwarding::default(), now).unwrap();
        Couriers::open(&settings, 16).unwrap().send(destination, private, request, now).await.unwrap_err()
    };
    for host in ["127.0.0.1", "localhost"] {
        let refused = call(ForwardSettings::default(), false, host).await;
        assert!(matches!(refused, NoAnswer::Http(HttpError::Forbidden(_))), "{refused}");
        let tried = call(ForwardSettings::default(), true, host).await;
        assert!(matches!(tried, NoAnswer::Http(HttpError::Connect(_))), "{tried}");
    }
    let listed = ForwardSettings { allow: vec!["127.0.0.0/8".parse().unwrap()], ..ForwardSettings::default() };
    let tried = call(listed, false, "127.0.0.1").await;
    assert!(matches!(tried, NoAnswer::Http(HttpError::Connect(_))), "{tried}");
}
