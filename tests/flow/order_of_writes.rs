//! Row, then queue, then acknowledgement; and a row is a row only on the disk. Each is tried with what usually makes it
//! good (the sweeper, the server's defaults) out of the way.

use lychgate_tests::{
    Broker, Database, Node, eventually,
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, QueueKind, Stage},
};

/// [`QUICK`] with a sweeper that takes only what was marked as not published.
fn patient() -> String {
    QUICK.replace("grace = \"2s\"", "grace = \"1h\"")
}

fn request(n: usize) -> lychgate_tests::http::Request {
    platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")))
}

async fn unacknowledged(broker: &Broker) -> u32 {
    let listed = broker.control("list_queues", &["name", "messages_unacknowledged"]).await;
    let main = listed.lines().filter(|line| line.contains(".main."));
    main.filter_map(|line| line.split_whitespace().last()?.parse::<u32>().ok()).sum()
}

#[tokio::test]
async fn a_message_is_acknowledged_only_once_its_attempt_is_settled() {
    let mut stage = Stage::set_with(QueueKind::Broker, &patient()).await;
    let client = stage.database.connect().await;
    client.batch_execute("begin; lock table attempt in access exclusive mode").await.unwrap();
    let id = stage.send(&request(1)).await.event_id();
    let waits =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '/* settle_attempts%'
        and datname = current_database()";
    eventually("the settling transaction waits", async || match stage.database.count(waits).await {
        0 => Err(stage.worker.output()),
        _ => Ok(()),
    })
    .await;
    let broker = stage.broker.as_ref().unwrap();
    eventually("the message is the broker's still", async || match unacknowledged(broker).await {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let next = stage::worker(&stage.settings);
    std::mem::replace(&mut stage.worker, next).kill9();
    client.batch_execute("rollback").await.unwrap();
    stage.becomes(id, "succeeded").await;
    assert_eq!(stage.database.count("select count(*) from attempt").await, 1);
}

#[tokio::test]
async fn what_rabbitmq_did_not_confirm_is_published_again_without_waiting_for_its_grace() {
    let node = Node::start().await;
    let mut stage = Stage::on(Database::fresh().await, Some(&node.url()), &patient()).await;
    let mut n = 1;
    eventually("the gateway publishes", async || {
        n += 1;
        assert!(stage.send(&request(n)).await.is_success());
        match stage.gateway.metric("lychgate_published_total", &[("outcome", "confirmed")]).await {
            0.0 => Err("it is not connected yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    node.freeze();
    let reply = stage.send(&request(1)).await;
    assert!(reply.is_success(), "the row is the promise: {reply:?}");
    eventually("the publish has no answer", async || {
        match stage.gateway.metric("lychgate_published_total", &[("outcome", "unknown")]).await {
            0.0 => Err("no verdict yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    // What it had not read is gone with it: nobody but the sweeper has the event now.
    node.kill9();
    node.start_again().await;
    stage.becomes(reply.event_id(), "succeeded").await;
    assert!(stage.worker.metric("lychgate_swept_total", &[("outcome", "confirmed")]).await >= 1.0);
}

#[tokio::test]
async fn every_commit_waits_for_the_disk_even_where_the_database_is_set_not_to() {
    let database = Database::fresh().await;
    let watch = "create table commit_noted (what text not null, waits text not null);
        create function note_commit() returns trigger language plpgsql as $$ begin
            insert into commit_noted values (tg_table_name, current_setting('synchronous_commit')); return null; end $$;
        create trigger note_commit after insert on event for each statement execute function note_commit();
        create trigger note_commit after insert on dedup_key for each statement execute function note_commit();
        create trigger note_commit after insert or update on event_state for each statement execute function note_commit();
        create trigger note_commit after insert on attempt for each statement execute function note_commit();
        do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$;";
    database.connect().await.batch_execute(watch).await.unwrap();
    let set = database.connect().await.query_one("show synchronous_commit", &[]).await.unwrap();
    assert_eq!(set.get::<_, &str>(0), "off", "for whoever says nothing else");
    let stage = Stage::on(database, None, QUICK).await;
    stage.becomes(stage.send(&request(1)).await.event_id(), "succeeded").await;
    let noted = stage.database.column("select distinct what || ' ' || waits from commit_noted order by 1").await;
    assert_eq!(noted, ["attempt on", "dedup_key on", "event on", "event_state on"]);
}
