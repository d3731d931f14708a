//! What accidents do to PostgreSQL: it stands still, tables are locked, sessions are cut, connections run out. Never a
//! false success, an answer in time, and everything works once it is over.

use lychgate_tests::{
    Broker, Database, Postgres, Settings, eventually,
    http::{Reply, Request},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{self, QUICK, QueueKind, Stage},
    unique,
};

/// So many events: their senders repeat them to the letter.
fn events(count: usize) -> Vec<Request> {
    (0..count).map(|n| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")))).collect()
}

/// All at once.
async fn send(stage: &Stage, events: &[Request]) -> Vec<Reply> {
    futures_util::future::join_all(events.iter().map(|event| stage.send(event))).await
}

fn come_again(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.header("retry-after").is_some() && !reply.detail().is_empty(), "{reply:?}");
}

/// The senders come again until they are accepted, and every event has its one effect.
async fn all_succeed(stage: &Stage, events: &[Request]) {
    for event in events {
        let reply = eventually("the sender's retry is accepted", async || match stage.send(event).await {
            reply if reply.is_success() => Ok(reply),
            reply => Err(format!("{reply:?}")),
        })
        .await;
        stage.becomes(reply.event_id(), "succeeded").await;
    }
    let users = i64::try_from(events.len()).unwrap();
    assert_eq!(stage.database.count("select count(*) from platform_user").await, users);
    assert_eq!(stage.database.count("select count(*) from event").await, users, "and none is there twice");
}

/// The settings of a stage whose statements have a short deadline, by a database and perhaps a broker.
async fn set(database: Database, broker: Option<&Broker>) -> Stage {
    let settings = stage::settings(database.url(), broker.map(Broker::url).as_deref());
    let short = settings.text().replace("[database]\n", "[database]\nstatement = \"1s\"\n");
    let settings = Settings::new().with(&short).with(QUICK).with_sources();
    let (mut gateway, mut worker) = (stage::gateway(&settings), stage::worker(&settings));
    gateway.ready().await;
    worker.ready().await;
    let address = gateway.address("listen").await;
    Stage { database, broker: None, settings, gateway, worker, address }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_stands_still_senders_are_told_to_come_again() {
    let postgres = Postgres::start().await;
    let stage = set(postgres.fresh().await, None).await;
    let events = events(25);
    for reply in send(&stage, &events[..5]).await {
        assert!(reply.is_success(), "{reply:?}");
    }
    postgres.freeze();
    for reply in send(&stage, &events).await {
        come_again(&reply);
    }
    postgres.wake();
    all_succeed(&stage, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_stands_still_events_are_entrusted_to_rabbitmq() {
    let (postgres, broker) = tokio::join!(Postgres::start(), Broker::fresh());
    let stage = set(postgres.fresh().await, Some(&broker)).await;
    let events = events(20);
    let first = stage.send(&events[0]).await;
    stage.becomes(first.event_id(), "succeeded").await;
    postgres.freeze();
    for reply in send(&stage, &events).await {
        assert!(reply.is_success(), "{reply:?}");
    }
    postgres.wake();
    all_succeed(&stage, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_costs_an_answer_its_deadline_and_nothing_else() {
    let stage = set(Database::fresh().await, None).await;
    let mut locker = stage.database.connect().await;
    let lock = locker.transaction().await.unwrap();
    lock.batch_execute("lock table dedup_key in access exclusive mode").await.unwrap();
    let events = events(20);
    for reply in send(&stage, &events).await {
        come_again(&reply);
    }
    lock.rollback().await.unwrap();
    all_succeed(&stage, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_connections_to_be_had_senders_are_told_to_come_again() {
    let database = Database::fresh().await;
    let admin = database.connect().await;
    // The server's limits do not bind its superuser.
    let role = format!("limited_{}", unique());
    admin.batch_execute(&format!("create role {role} login; grant postgres to {role}")).await.unwrap();
    let stage = set(database.as_role(&role), None).await;
    let events = events(20);
    assert!(stage.send(&events[0]).await.is_success());
    let cut = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'");
    admin.batch_execute(&format!("alter role {role} connection limit 0; {cut}")).await.unwrap();
    for reply in send(&stage, &events).await {
        come_again(&reply);
    }
    admin.batch_execute(&format!("alter role {role} connection limit -1")).await.unwrap();
    all_succeed(&stage, &events).await;
}

async fn sessions_that_are_cut_are_made_anew(kind: QueueKind) {
    let stage = Stage::set(kind).await;
    let admin = stage.database.connect().await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and application_name = 'lychgate'";
    let events = events(100);
    for some in events.chunks(20) {
        let (replies, _) = tokio::join!(send(&stage, some), admin.batch_execute(cut));
        for reply in replies {
            assert!(reply.is_success() || reply.status == 503, "{reply:?}");
        }
    }
    all_succeed(&stage, &events).await;
    let failed = "select count(*) from attempt where outcome not in ('succeeded', 'ignored')";
    assert_eq!(stage.database.count(failed).await, 0, "no event is to blame");
}

on_both!(sessions_that_are_cut_are_made_anew);
