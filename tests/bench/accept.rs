//! What accepting costs: the product's gateway against a bare loop, in one run, on the same PostgreSQL and RabbitMQ.
//!
//! `cargo bench -p lychgate-tests --bench accept [-- EVENTS CONNECTIONS ROUNDS]`. Takes turns, so that a machine that
//! slows down slows both; prints the rates of each round and the median ratio. The ratio is the figure: rates depend on
//! the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod bare;
mod cpu;
mod generator;

use std::{net::SocketAddr, process::Command, time::Instant};

use generator::{Run, requests, send_all};
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions};
use lychgate_tests::{Database, Node, Postgres, Process, eventually, settings::secrets::PLATFORM, stage};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|argument| argument == "serve-bare") {
        return bare::serve(&arguments[1], arguments.get(2).map(String::as_str), PLATFORM).await;
    }
    let number = |place: usize, default: usize| arguments.get(place).map_or(default, |text| text.parse().unwrap());
    let (events, connections, rounds) = (number(0, 40_000), number(1, 64), number(2, 5));
    println!("{events} events a round over {connections} connections, {rounds} rounds");

    let (postgres, node) = tokio::join!(Postgres::start(), Node::start());
    let mut contenders = [
        Contender::bare("bare loop", &postgres, None).await,
        Contender::bare("bare loop + publish", &postgres, Some(&node)).await,
        Contender::product("gateway", &postgres, &node).await,
    ];
    for round in 0..=rounds {
        for contender in &mut contenders {
            let requests = requests(&format!("r{round}"), PLATFORM, if round == 0 { events / 8 } else { events });
            let before = cpu::by_program();
            let (run, published) = contender.measure(connections, requests).await;
            if round > 0 {
                contender.rates.push((run.rate(), published));
                contender.spent.add(&before, run.accepted);
                let (name, rate, p50, p99) = (contender.name, run.rate(), run.p50, run.p99);
                println!("{name:<20} {rate:>8.0} accepted/s  {published:>8.0} published/s  p50 {p50:?}  p99 {p99:?}");
            }
        }
    }
    println!("\nCPU time an event:");
    for contender in &contenders {
        println!("{:<20} {}", contender.name, contender.spent);
    }
    let cost = |accepted: usize, against: usize| {
        let ratios = contenders[accepted].rates.iter().zip(&contenders[against].rates);
        median(ratios.map(|((rate, _), (bare, _))| bare / rate).collect())
    };
    let published = |contender: &Contender, round: usize| contender.rates[round].1;
    let each =
        median((0..rounds).map(|round| published(&contenders[1], round) / published(&contenders[2], round)).collect());
    println!(
        "\naccepted: {:.2} times the cost of the bare loop, {:.2} of the one that publishes",
        cost(2, 0),
        cost(2, 1)
    );
    println!("accepted and published: {each:.2} times the cost of the bare loop that publishes");
    let published = median(contenders[2].rates.iter().map(|(_, published)| *published).collect());
    println!("durably accepted and published: {published:.0} events/s");
}

/// Someone who accepts events.
struct Contender {
    name: &'static str,
    _process: Process,
    address: SocketAddr,
    queue: Option<(Connection, &'static str)>,
    rates: Vec<(f64, f64)>,
    spent: cpu::Spent,
}

impl Contender {
    async fn bare(name: &'static str, postgres: &Postgres, node: Option<&Node>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("serve-bare").arg(postgres.admin_url()).args(node.map(Node::url));
        let mut process = Process::spawn(name, command);
        let address = process.address("listen").await;
        let queue = match node {
            Some(node) => Some((watch(node).await, "bare")),
            None => None,
        };
        Self { name, _process: process, address, queue, rates: Vec::new(), spent: cpu::Spent::default() }
    }

    async fn product(name: &'static str, postgres: &Postgres, node: &Node) -> Self {
        let database: Database = postgres.fresh().await;
        // Swept only by the worker, which does not run: what is counted is what the gateway itself publishes.
        let settings = stage::settings(database.url(), Some(&node.url())).with_sources();
        let mut process = stage::gateway(&settings);
        process.ready().await;
        let address = process.address("listen").await;
        let queue = Some((watch(node).await, "lychgate.v1.main.s00"));
        Self { name, _process: process, address, queue, rates: Vec::new(), spent: cpu::Spent::default() }
    }

    /// Sends everything, waits until all of it stands in the queue; the run, and events published a second.
    async fn measure(&self, connections: usize, requests: Vec<Vec<u8>>) -> (Run, f64) {
        let before = self.depth().await;
        let start = Instant::now();
        let run = send_all(self.address, connections, requests).await;
        if self.queue.is_none() {
            return (run, 0.0);
        }
        eventually("everything is published", async || match self.depth().await - before {
            depth if depth as usize >= run.accepted => Ok(()),
            depth => Err(format!("{depth} of {}", run.accepted)),
        })
        .await;
        (run, run.accepted as f64 / start.elapsed().as_secs_f64())
    }

    async fn depth(&self) -> u32 {
        let Some((connection, queue)) = &self.queue else { return 0 };
        eventually("the queue is declared", async || {
            let channel = connection.create_channel().await.unwrap();
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare((*queue).into(), passive, Default::default()).await;
            let declared = declared.map_err(|error| error.to_string())?;
            channel.close(200, "seen".into()).await.unwrap();
            Ok(declared.message_count())
        })
        .await
    }
}

async fn watch(node: &Node) -> Connection {
    Connection::connect(&node.url(), ConnectionProperties::default()).await.unwrap()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
