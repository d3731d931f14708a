//! kill -9 of each part in the middle of load: every acknowledged event has exactly one effect.

use std::sync::Arc;

use lychgate_tests::{
    Database, Directory, Node, Postgres,
    ledger::{EFFECTS, Findings, Ledger, Outcome, watch_effects},
    load::{Load, Target},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, QueueKind, Stage},
};

/// A stage under load, and its ledger.
struct UnderLoad {
    stage: Stage,
    target: Target,
    ledger: Arc<Ledger>,
    load: Load,
    _directory: Directory,
}

impl UnderLoad {
    async fn start(stage: Stage) -> Self {
        watch_effects(&stage.database).await;
        let directory = Directory::new("ledger");
        let ledger = Arc::new(Ledger::open(directory.path(), "platform"));
        let build = |n: usize| {
            let key = format!("user_{n:06}");
            let request = platform(PLATFORM, platform_user_created(&key, &key));
            (key, request)
        };
        let target = Target::new(stage.address);
        let load = Load::start(target.clone(), 8, Arc::clone(&ledger), Arc::new(build));
        load.more(200).await;
        Self { stage, target, ledger, load, _directory: directory }
    }

    async fn check(self) -> Findings {
        let acknowledged = self.load.stop().await;
        assert!(acknowledged > 400, "there was a load: {acknowledged}");
        let findings = self.ledger.check(&self.stage.database, EFFECTS).await;
        assert_eq!(self.ledger.count(Outcome::Rejected), 0, "no fault of ours is blamed on the sender");
        assert_eq!(findings.dead, 0, "no event is guilty: {findings:?}");
        findings
    }
}

async fn the_gateway_is_killed(kind: QueueKind) {
    let mut run = UnderLoad::start(Stage::set(kind).await).await;
    for _ in 0..3 {
        let mut next = stage::gateway(&run.stage.settings);
        next.ready().await;
        let address = next.address("listen").await;
        std::mem::replace(&mut run.stage.gateway, next).kill9();
        run.target.set(address);
        run.load.more(150).await;
    }
    run.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_gateway_is_killed_over_the_store() {
    the_gateway_is_killed(QueueKind::Store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_gateway_is_killed_over_rabbitmq() {
    the_gateway_is_killed(QueueKind::Broker).await;
}

async fn the_worker_is_killed(kind: QueueKind) {
    let mut run = UnderLoad::start(Stage::set(kind).await).await;
    for _ in 0..2 {
        run.load.more(150).await;
        let next = stage::worker(&run.stage.settings);
        std::mem::replace(&mut run.stage.worker, next).kill9();
        run.stage.worker.ready().await;
    }
    run.load.more(150).await;
    run.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_worker_is_killed_over_the_store() {
    the_worker_is_killed(QueueKind::Store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_worker_is_killed_over_rabbitmq() {
    the_worker_is_killed(QueueKind::Broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_rabbitmq_is_killed() {
    let node = Node::start().await;
    let stage = Stage::on(Database::fresh().await, Some(&node.url()), QUICK).await;
    let run = UnderLoad::start(stage).await;
    for _ in 0..2 {
        node.kill9();
        run.load.more(200).await;
        node.start_again().await;
        run.load.more(200).await;
    }
    let unknown = run.ledger.count(Outcome::Unknown);
    assert!(unknown <= 8, "the gateway went on answering: {unknown} unanswered (those under way)");
    run.check().await;
}

async fn postgresql_is_killed(broker: Option<&Node>) {
    let postgres = Postgres::start().await;
    let url = broker.map(Node::url);
    let stage = Stage::on(postgres.fresh().await, url.as_deref(), QUICK).await;
    let run = UnderLoad::start(stage).await;
    for _ in 0..2 {
        postgres.kill9();
        postgres.start_again().await;
        run.load.more(200).await;
    }
    run.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_postgresql_is_killed_over_the_store() {
    postgresql_is_killed(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_postgresql_is_killed_over_rabbitmq() {
    let node = Node::start().await;
    postgresql_is_killed(Some(&node)).await;
}
