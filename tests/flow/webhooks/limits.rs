//! How fast, how many at once, and what a slow endpoint costs the others.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lychgate_tests::{eventually, eventually_within, receiver::Answer};

use super::*;

on_both!(
    what_is_over_the_limit_waits_costs_no_attempt_and_arrives,
    what_is_within_the_limit_is_not_put_off,
    slow_endpoints_hold_only_their_own_deliveries,
);

async fn what_is_over_the_limit_waits_costs_no_attempt_and_arrives(kind: QueueKind) {
    let times = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::clone(&times);
    let receiver = Receiver::start(move |_| {
        clock.lock().unwrap().push(Instant::now());
        Answer::status(200)
    })
    .await;
    let mut stage = Stage::set_with(kind, &settings("burst = 4")).await;
    subscribe(&stage, &receiver.url(), &["*"]).await;
    let mut events = Vec::new();
    for n in 0..10 {
        events.push(user_created(&stage, &format!("user_{n}")).await);
    }
    let done = "select count(*) from event_state where source = 'webhooks' and status = 'succeeded'";
    eventually_within(Duration::from_secs(60), "all have arrived", async || match stage.database.count(done).await {
        10 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    for event in events {
        assert_eq!(told(&receiver, event).len(), 1);
    }
    let times = times.lock().unwrap().clone();
    for window in times.windows(5) {
        assert!(window[4] - window[0] >= Duration::from_secs(10), "five within ten seconds");
    }
    let most =
        "select max(attempt)::bigint from attempt a join event e on e.id = a.event_id where e.source = 'webhooks'";
    assert_eq!(stage.database.count(most).await, 1, "waiting costs no attempt");
    assert!(stage.worker.metric("lychgate_deferred_total", &[("source", "webhooks")]).await >= 6.0);
    assert!(stage.worker.metric("lychgate_released_total", &[("source", "webhooks")]).await < 1.0, "no fault of ours");
}

async fn what_is_within_the_limit_is_not_put_off(kind: QueueKind) {
    let receiver = Receiver::start(|_| Answer { after: Duration::from_millis(10), ..Answer::status(200) }).await;
    let mut stage = stage(kind).await;
    subscribe(&stage, &receiver.url(), &["*"]).await;
    for n in 0..80 {
        user_created(&stage, &format!("user_{n}")).await;
    }
    eventually("all have arrived", async || match receiver.seen().len() {
        80 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert!(stage.worker.metric("lychgate_deferred_total", &[]).await < 1.0);
}

async fn slow_endpoints_hold_only_their_own_deliveries(kind: QueueKind) {
    let slow = Receiver::start(|_| Answer { after: Duration::from_secs(60), ..Answer::status(200) }).await;
    let quick = Receiver::start(|_| Answer::status(200)).await;
    let stage = stage(kind).await;
    for _ in 0..8 {
        subscribe(&stage, &slow.url(), &["user.created"]).await;
    }
    for n in 0..40 {
        user_created(&stage, &format!("user_{n}")).await;
    }
    eventually("the slow ones are being called", async || match slow.seen().len() {
        0..8 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    subscribe(&stage, &quick.url(), &["user.created"]).await;
    for n in 0..5 {
        let event = user_created(&stage, &format!("late_{n}")).await;
        stage.becomes(event, "succeeded").await;
        eventually("the quick one is told", async || match told(&quick, event).len() {
            1 => Ok(()),
            other => Err(other.to_string()),
        })
        .await;
    }
    let open = "select count(*) from event_state where source = 'webhooks' and finished_at is null";
    assert!(stage.database.count(open).await > 200, "the quick ones did not wait for the slow ones");
}
