//! Every example payload of the five documents, as it stands there, signed as the document says: accepted or refused as
//! described, and what becomes of it.
//!
//! Document A (IBAM) and document E (SleekApp) show no payload: E's rules of validation are tried on Stripe's shape, and
//! A's senders have tests of their own. What is for others to receive is left out: the subscription that document C sends
//! to Canvas, and the calls of document D's management.

mod atomic_guide;
mod faithflow;
mod platform;
mod sleekapp;

use lychgate_tests::{
    http::{Reply, Request},
    stage::Stage,
};
use serde_json::Value;

/// An example: where it stands, and its text to the letter.
struct Example {
    /// The heading above it.
    section: &'static str,
    /// The payload.
    payload: &'static str,
}

/// Sends one that is to be accepted with 200, and waits for what becomes of it.
async fn ends(stage: &Stage, section: &str, request: &Request, status: &str) -> Reply {
    let reply = stage.send(request).await;
    assert_eq!(reply.status, 200, "{section}: {reply:?}");
    stage.becomes(reply.event_id(), status).await;
    reply
}

/// Sends one that is to be refused: the status, and the whole body.
async fn is_refused(stage: &Stage, section: &str, request: &Request, status: u16, body: &Value) {
    let reply = stage.send(request).await;
    assert_eq!((reply.status, &reply.json()), (status, body), "{section}: {reply:?}");
}
