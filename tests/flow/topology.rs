//! The broker's queues are what the operator was promised, seen with RabbitMQ's own tool.

use lychgate_tests::{
    eventually,
    stage::{QueueKind, Stage},
};

#[tokio::test]
async fn the_queues_are_quorum_queues_and_the_retry_levels_have_the_documents_delays() {
    // The real schedule: this stage has no shortened one.
    let stage = Stage::set_with(QueueKind::Broker, "").await;
    let broker = stage.broker.as_ref().unwrap();
    // They are declared in their order, and the levels come last.
    let queues = eventually("all queues are declared", async || {
        let queues = broker.control("list_queues", &["name", "type", "arguments"]).await;
        if queues.contains("lychgate.v1.retry.1h") { Ok(queues) } else { Err(queues) }
    })
    .await;
    let line = |name: &str| {
        let found = queues.lines().find(|line| line.split('\t').next() == Some(name));
        found.unwrap_or_else(|| panic!("no queue {name} in:\n{queues}")).to_owned()
    };
    for (level, millis) in [("15s", 15_000), ("60s", 60_000), ("5m", 300_000), ("15m", 900_000), ("1h", 3_600_000)] {
        let queue = line(&format!("lychgate.v1.retry.{level}"));
        assert!(queue.contains(&format!("{{\"x-message-ttl\",{millis}}}")), "{queue}");
        assert!(queue.contains("at-least-once") && queue.contains("reject-publish"), "{queue}");
    }
    let main = line("lychgate.v1.main.s00");
    assert!(!main.contains("x-message-ttl"), "{main}");
    for queue in queues.lines().filter(|line| line.starts_with("lychgate.v1.main") || line.contains(".retry.")) {
        assert_eq!(queue.split('\t').nth(1), Some("quorum"), "{queue}");
    }

    let verified = stage.lychgate(&["topology", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let plan = stage.lychgate(&["topology", "plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
}
