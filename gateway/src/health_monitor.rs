//! `GET /webhooks/health-monitor`: one page for monitoring services that can reach the public listener only.
//!
//! Gateway, database, broker, workers, backlog; 200 where webhooks are taken and processed, else 503. Says how things
//! are and no more: names, versions and error texts stay on the ops listener. Asked of the store once a second at most.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, HeaderValue},
};
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    queue::{Queue, QueueState},
    store::{Backlog, StoreError},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    house::House,
    reply::{self, Reply},
};

/// How long a page is shown before it is made anew: strangers may ask as often as they like.
const KEPT: Duration = Duration::from_secs(1);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A worker that has not been seen for this long is missed; it shows itself every five seconds.
const MISSED: SignedDuration = SignedDuration::from_secs(30);

/// The last page.
#[derive(Debug, Default)]
pub(crate) struct Monitor(Mutex<Option<(Instant, StatusCode, Bytes)>>);

/// What the store says.
struct Seen {
    alive: usize,
    backlog: Backlog,
}

/// The page as it is now.
pub(crate) async fn page(house: &House) -> Reply {
    let mut last = house.monitor.0.lock().await;
    let (status, body) = match last.as_ref().filter(|(at, ..)| at.elapsed() < KEPT) {
        Some((_, status, body)) => (*status, body.clone()),
        None => {
            let now = house.clock.now();
            let (status, page) = judged(look(house, now).await, &house.queue, now);
            let body = Bytes::from(page.to_string());
            *last = Some((Instant::now(), status, body.clone()));
            (status, body)
        }
    };
    let mut reply = reply::bytes(status, HeaderValue::from_static("application/json"), body);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

async fn look(house: &House, now: Timestamp) -> Option<Seen> {
    let asked = async {
        let heartbeats = house.store.heartbeats().await?;
        let alive = heartbeats.iter().filter(|beat| now.duration_since(beat.seen_at) <= MISSED).count();
        Ok::<_, StoreError>(Seen { alive, backlog: house.store.backlog().await? })
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(seen)) => Some(seen),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the health monitor cannot ask the database");
            None
        }
        Err(_) => None,
    }
}

fn judged(seen: Option<Seen>, queue: &Queue, now: Timestamp) -> (StatusCode, Value) {
    let broker = match queue {
        Queue::Store(_) => json!({ "state": "up", "kind": "database" }),
        Queue::Broker(_) => match queue.state() {
            QueueState::Up => json!({ "state": "up", "kind": "rabbitmq" }),
            // Webhooks are taken all the same, and published once it is back.
            QueueState::Degraded(_) => json!({ "state": "degraded", "kind": "rabbitmq" }),
        },
    };
    let degraded = broker.get("state") == Some(&Value::from("degraded"));
    let database = if seen.is_some() { "up" } else { "down" };
    let alive = seen.as_ref().map(|seen| seen.alive);
    let workers = match alive {
        Some(0) => "down",
        Some(_) => "up",
        None => "unknown",
    };
    let backlog = seen.map(|seen| {
        let age = seen.backlog.oldest.map(|oldest| now.duration_since(oldest).as_secs().max(0));
        json!({ "open": seen.backlog.due, "oldest_age_seconds": age })
    });
    let (status, word) = match (alive, degraded) {
        (None | Some(0), _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        (Some(_), true) => (StatusCode::OK, "degraded"),
        (Some(_), false) => (StatusCode::OK, "healthy"),
    };
    let page = json!({
        "status": word,
        "timestamp": now,
        "checks": {
            "gateway": { "state": "up" },
            "database": { "state": database },
            "broker": broker,
            "workers": { "state": workers, "alive": alive },
            "backlog": backlog,
        },
    });
    (status, page)
}
