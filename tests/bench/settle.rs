//! What settling costs: a worker that settles in groups against one that takes a transaction for every event.
//!
//! `cargo bench -p lychgate-tests --bench settle [-- EVENTS]`. Events are accepted first, with no worker running; then a
//! worker empties the queue. Events per transaction are counted in PostgreSQL itself, by the transactions that wrote the
//! attempts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod generator;

use std::time::Duration;

use generator::{requests, send_all};
use lychgate_tests::{Node, Postgres, fact::eventually_within, settings::secrets::PLATFORM, stage};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let events: usize = arguments.first().map_or(20_000, |text| text.parse().unwrap());
    let postgres = Postgres::start().await;
    let mut rates = Vec::new();
    for (queue, batch) in [("RabbitMQ", 50), ("RabbitMQ", 1), ("store", 50), ("store", 1)] {
        let node = if queue == "RabbitMQ" { Some(Node::start().await) } else { None };
        // One transaction an event takes longer: fewer events measure it as well.
        let count = if batch == 1 { events / 5 } else { events };
        let (rate, grouped) = settle(&postgres, node.as_ref(), batch, count).await;
        println!("{queue:<9} settle_batch {batch:>3}: {rate:>7.0} events/s, {grouped:>5.1} events a transaction");
        rates.push(rate);
    }
    println!(
        "\ngrouped settling: {:.1} times as fast over RabbitMQ, {:.1} over the store",
        rates[0] / rates[1],
        rates[2] / rates[3]
    );
}

/// Events a second from the first start to the last finish, and events per transaction.
async fn settle(postgres: &Postgres, node: Option<&Node>, batch: usize, events: usize) -> (f64, f64) {
    let database = postgres.fresh().await;
    let url = node.map(Node::url);
    let more = format!("[worker]\nsettle_batch = {batch}\n[sweep]\ngrace = \"10m\"");
    let settings = stage::settings(database.url(), url.as_deref()).with(&more).with_sources();
    let mut gateway = stage::gateway(&settings);
    gateway.ready().await;
    let run = send_all(gateway.address("listen").await, 64, requests("settle", PLATFORM, events)).await;
    println!(
        "  {} accepted at {:.0}/s, p50 {:?}, p99 {:?}, in {:?}",
        run.accepted,
        run.rate(),
        run.p50,
        run.p99,
        run.took
    );
    // Not killed: what it has not published yet would wait for its grace.
    assert!(gateway.stop().await.success());

    let _worker = stage::worker(&settings);
    eventually_within(Duration::from_secs(300), "everything is settled", async || {
        match database.count("select count(*) from event_state where finished_at is null").await {
            0 => Ok(()),
            open => Err(open.to_string()),
        }
    })
    .await;
    let span = "select extract(epoch from max(s.finished_at) - min(a.started_at))::float8, \
                count(*)::float8 / count(distinct a.xmin::text) from attempt a join event_state s on s.id = a.event_id";
    let row = database.connect().await.query_one(span, &[]).await.unwrap();
    (events as f64 / row.get::<_, f64>(0), row.get(1))
}
