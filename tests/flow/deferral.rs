//! What is over a source's limit with `on_limit = "defer"` is accepted like the rest, and processed at the limit's pace.

use lychgate_tests::{
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, QueueKind, Stage},
};

/// Two at once, then one a second.
const PACED: &str = r#"
[[source]]
name = "paced"
preset = "platform"
path = "/paced"
secrets = ["platform-secret-0123456789abcdef"]
rate_limit = { requests = 1, per = "1s", burst = 2, on_limit = "defer" }
"#;

async fn what_is_over_the_limit_is_accepted_and_processed_later(kind: QueueKind) {
    let stage = Stage::set_with(kind, &format!("{QUICK}{PACED}")).await;
    let mut ids = Vec::new();
    for nth in 0..5 {
        let mut request = platform(PLATFORM, platform_user_created(&format!("paced-{nth}"), &format!("user-{nth}")));
        "/paced".clone_into(&mut request.path);
        let reply = stage.send(&request).await;
        assert!(reply.is_success(), "{nth}: {reply:?}");
        ids.push(reply.event_id());
    }
    for id in &ids {
        stage.becomes(*id, "succeeded").await;
    }
    // When the sweeper or a worker has taken an event, its `due_at` is theirs; when it was tried stays. The limit allows
    // the third a second after the first came, and each of the rest a second later: a slow test only adds to that. Half
    // a second is spared, for an event is counted a little after its receipt.
    let early = "with nth as (
            select id, received_at, row_number() over (order by received_at) as n, min(received_at) over () as began
            from event where source = 'paced'
        )
        select concat_ws(' ', n, started_at - began) from nth join attempt on event_id = id
        where n > 2 and started_at < began + (n - 2.5) * interval '1 second'";
    assert_eq!(stage.database.column(early).await, [""; 0], "{kind:?}: processed before their time");
    let tries = "select count(*) from attempt where event_id in (select id from event where source = 'paced')";
    assert_eq!(stage.database.count(tries).await, 5, "{kind:?}: and a deferral costs no attempt");
}

#[tokio::test]
async fn what_is_over_the_limit_is_accepted_and_processed_later_over_the_store() {
    what_is_over_the_limit_is_accepted_and_processed_later(QueueKind::Store).await;
}

#[tokio::test]
async fn what_is_over_the_limit_is_accepted_and_processed_later_over_rabbitmq() {
    what_is_over_the_limit_is_accepted_and_processed_later(QueueKind::Broker).await;
}
