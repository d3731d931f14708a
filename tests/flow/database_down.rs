//! PostgreSQL away: no success without a row, a clear "come again", and everything works once it is back.

use lychgate_tests::{
    Broker, Node, Postgres, eventually,
    http::Request,
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, Stage},
};

#[tokio::test]
async fn with_postgresql_away_nothing_is_promised_and_afterwards_everything_works() {
    let postgres = Postgres::start().await;
    let stage = Stage::on(postgres.fresh().await, None, QUICK).await;
    let request = |n: usize| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
    assert!(stage.send(&request(0)).await.is_success());

    postgres.stop();
    for n in 1..5 {
        let reply = stage.send(&request(n)).await;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
        assert!(!reply.detail().is_empty());
    }
    postgres.start_again().await;
    for n in 1..5 {
        let reply = eventually("the sender's retry is accepted", async || match stage.send(&request(n)).await {
            reply if reply.is_success() => Ok(reply),
            reply => Err(format!("{reply:?}")),
        })
        .await;
        assert_eq!(reply.header("idempotent-replayed"), None, "a refusal leaves nothing that looks like a duplicate");
        stage.becomes(reply.event_id(), "succeeded").await;
    }
    assert_eq!(stage.database.count("select count(*) from platform_user").await, 5);
}

#[tokio::test]
async fn with_a_broker_events_are_accepted_while_postgresql_is_away_and_processed_once_afterwards() {
    let (postgres, broker) = tokio::join!(Postgres::start(), Broker::fresh());
    let mut stage = Stage::on(postgres.fresh().await, Some(&broker.url()), QUICK).await;
    let request = |n: usize| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
    let before = stage.send(&request(0)).await;
    stage.becomes(before.event_id(), "succeeded").await;

    postgres.stop();
    let ready = Request::get("/readyz").send(stage.gateway.address("ops").await).await.unwrap();
    assert_eq!(ready.status, 200, "it can accept, and stays in service: {ready:?}");
    assert_eq!(ready.json()["checks"]["store"]["state"], "degraded", "{ready:?}");
    let ready = Request::get("/readyz").send(stage.worker.address("ops").await).await.unwrap();
    assert_eq!(ready.status, 503, "a worker does nothing without the store: {ready:?}");
    let mut accepted = Vec::new();
    for n in 1..=20 {
        let reply = stage.send(&request(n)).await;
        assert!(reply.is_success(), "the broker has it, confirmed and whole: {reply:?}\n{}", stage.gateway.output());
        accepted.push(reply.event_id());
    }
    let known = stage.send(&request(0)).await;
    assert!(known.is_success(), "it cannot be known for a duplicate now: {known:?}");
    postgres.start_again().await;
    for id in accepted {
        stage.becomes(id, "succeeded").await;
    }
    eventually("nothing is open", async || {
        match stage.database.count("select count(*) from event_state where finished_at is null").await {
            0 => Ok(()),
            open => Err(open.to_string()),
        }
    })
    .await;
    assert_eq!(stage.database.count("select count(*) from platform_user").await, 21);
    let twice = "select count(*) from event where key = 'w0'";
    assert_eq!(stage.database.count(twice).await, 1, "the duplicate was dropped when it could be known");
}

#[tokio::test]
async fn what_was_accepted_while_postgresql_was_away_under_a_key_of_another_body_is_a_dead_letter() {
    let (postgres, broker) = tokio::join!(Postgres::start(), Broker::fresh());
    let stage = Stage::on(postgres.fresh().await, Some(&broker.url()), QUICK).await;
    let first = stage.send(&platform(PLATFORM, platform_user_created("w0", "u0"))).await;
    stage.becomes(first.event_id(), "succeeded").await;

    postgres.stop();
    let other = stage.send(&platform(PLATFORM, platform_user_created("w0", "another"))).await;
    assert!(other.is_success(), "{other:?}\n{}", stage.gateway.output());
    postgres.start_again().await;
    stage.becomes(other.event_id(), "dead").await;
    let named = format!(
        "select count(*) from attempt where class = 'key_conflict' and error ->> 'message' like '%{}%'",
        first.event_id()
    );
    assert_eq!(stage.database.count(&named).await, 1, "the dead letter names the event whose key it bears");
    assert_eq!(stage.database.count("select count(*) from platform_user").await, 1);
}

#[tokio::test]
async fn a_gateway_that_starts_without_postgresql_answers_its_senders() {
    let (postgres, broker) = tokio::join!(Postgres::start(), Broker::fresh());
    let request = |n: usize| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
    for url in [None, Some(broker.url())] {
        let stage = Stage::on(postgres.fresh().await, url.as_deref(), QUICK).await;
        postgres.stop();
        let mut started = stage::gateway(&stage.settings);
        let address = started.address("listen").await;
        let reply = request(1).send(address).await.unwrap();
        assert_eq!(reply.is_success(), url.is_some(), "{reply:?}\n{}", started.output());
        if url.is_none() {
            assert_eq!(reply.status, 503, "{reply:?}");
            assert!(reply.header("retry-after").is_some(), "{reply:?}");
        }
        postgres.start_again().await;
        let kept = match url {
            Some(_) => reply,
            None => {
                eventually("the sender's retry is accepted", async || match request(1).send(address).await {
                    Ok(reply) if reply.is_success() => Ok(reply),
                    other => Err(format!("{other:?}")),
                })
                .await
            }
        };
        stage.becomes(kept.event_id(), "succeeded").await;
    }
}

#[tokio::test]
async fn with_both_away_nothing_is_accepted_and_the_sender_is_told_when_to_come_again() {
    let (postgres, node) = tokio::join!(Postgres::start(), Node::start());
    let stage = Stage::on(postgres.fresh().await, Some(&node.url()), QUICK).await;
    let request = |n: usize| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
    stage.becomes(stage.send(&request(0)).await.event_id(), "succeeded").await;

    postgres.stop();
    // It takes the message and does not answer: no confirm is no promise.
    node.freeze();
    let unanswered = stage.send(&request(1)).await;
    node.kill9();
    let refused = eventually("the broker is missed", async || match stage.send(&request(2)).await {
        reply if reply.status == 503 => Ok(reply),
        reply => Err(format!("{reply:?}")),
    })
    .await;
    for reply in [unanswered, refused] {
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.header("retry-after").is_some() && !reply.detail().is_empty(), "{reply:?}");
    }
    postgres.start_again().await;
    node.start_again().await;
    for n in 1..=2 {
        let reply = eventually("the sender's retry is accepted", async || match stage.send(&request(n)).await {
            reply if reply.is_success() => Ok(reply),
            reply => Err(format!("{reply:?}")),
        })
        .await;
        stage.becomes(reply.event_id(), "succeeded").await;
    }
    assert_eq!(stage.database.count("select count(*) from platform_user").await, 3);
}
