//! RabbitMQ away costs time, never an event: the gateway goes on answering success.

use lychgate_tests::{
    Node, Postgres, eventually,
    http::Request,
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, Stage},
};

async fn all_succeed(stage: &Stage, count: i64) {
    eventually("everything is processed", async || {
        match stage.database.count("select count(*) from event_state where status = 'succeeded'").await {
            done if done == count => Ok(()),
            done => Err(format!("{done} of {count}")),
        }
    })
    .await;
    assert_eq!(stage.database.count("select count(*) from platform_user").await, count);
}

async fn accept(stage: &Stage, from: usize, to: usize) {
    for n in from..to {
        let request = platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
        let reply = stage.send(&request).await;
        assert!(reply.is_success(), "event {n}: {reply:?}\n{}", stage.gateway.output());
    }
}

#[tokio::test]
async fn with_rabbitmq_stopped_events_are_accepted_and_processed_once_it_is_back() {
    let (node, postgres) = tokio::join!(Node::start(), Postgres::start());
    let mut stage = Stage::on(postgres.fresh().await, Some(&node.url()), QUICK).await;
    accept(&stage, 0, 10).await;
    all_succeed(&stage, 10).await;

    node.stop_app().await;
    accept(&stage, 10, 60).await;
    let ops = stage.gateway.address("ops").await;
    let live = Request::get("/livez").send(ops).await.unwrap();
    assert_eq!(live.status, 200, "degraded is not dead: {live:?}");
    node.start_app().await;
    all_succeed(&stage, 60).await;

    node.kill9();
    accept(&stage, 60, 100).await;
    node.start_again().await;
    all_succeed(&stage, 100).await;
    assert_eq!(stage.database.count("select count(*) from attempt where outcome <> 'succeeded'").await, 0);
}

#[tokio::test]
async fn a_gateway_and_a_worker_start_while_rabbitmq_is_away() {
    let node = Node::start().await;
    node.stop();
    let database = lychgate_tests::Database::fresh().await;
    let settings = lychgate_tests::stage::settings(database.url(), Some(&node.url())).with(QUICK).with_sources();
    let mut gateway = lychgate_tests::stage::gateway(&settings);
    let _worker = lychgate_tests::stage::worker(&settings);
    let address = gateway.address("listen").await;
    let request = platform(PLATFORM, platform_user_created("w_early", "u_early"));
    let reply = eventually("the gateway answers", async || match request.send(address).await {
        Ok(reply) if reply.is_success() => Ok(reply),
        other => Err(format!("{other:?}")),
    })
    .await;
    node.start_again().await;
    lychgate_tests::stage::event_becomes(&database, reply.event_id(), "succeeded").await;
}
