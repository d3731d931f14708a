//! Connections are few and short: a bound on how many, deadlines on those that say nothing or do not listen.

use lychgate_tests::{
    eventually,
    http::{Connection, Request},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, QueueKind, Stage},
};

async fn set(gateway: &str) -> Stage {
    Stage::set_with(QueueKind::Store, &QUICK.replace("[gateway]", &format!("[gateway]\n{gateway}"))).await
}

fn request(n: usize) -> Request {
    platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")))
}

async fn is_served(connection: &mut Connection, n: usize) {
    let reply = connection.send(&request(n)).await.unwrap();
    assert!(reply.is_success(), "{reply:?}");
}

async fn is_closed(what: &str, connection: &Connection) {
    eventually(what, async || if connection.is_closed() { Ok(()) } else { Err("open".to_owned()) }).await;
}

#[tokio::test]
async fn a_connection_over_the_bound_waits_and_is_served_when_another_has_gone() {
    let stage = set("connections = 2\nheader_deadline = \"5m\"").await;
    let (mut one, mut other) =
        (Connection::open(stage.address).await.unwrap(), Connection::open(stage.address).await.unwrap());
    is_served(&mut one, 0).await;
    is_served(&mut other, 1).await;
    let mut third = Connection::open(stage.address).await.unwrap();
    third.write(&request(2).bytes()).await.unwrap();
    for n in 3..13 {
        is_served(&mut one, n).await;
        is_served(&mut other, n + 100).await;
    }
    assert!(!third.is_closed(), "it is neither refused nor served");
    assert_eq!(stage.database.count("select count(*) from event where key = 'w2'").await, 0);
    drop(one);
    let reply = third.read().await.unwrap();
    assert!(reply.is_success(), "{reply:?}");
}

#[tokio::test]
async fn who_says_nothing_or_never_ends_is_cut_off_and_makes_room() {
    let stage = set("connections = 3\nheader_deadline = \"400ms\"").await;
    let silent = Connection::open(stage.address).await.unwrap();
    let mut idle = Connection::open(stage.address).await.unwrap();
    is_served(&mut idle, 0).await;
    let mut slow = Connection::open(stage.address).await.unwrap();
    // Progress is no excuse: the deadline is for the whole head.
    eventually("a head that comes byte by byte is cut off", async || {
        let sent = slow.write(b"P").await;
        if sent.is_err() || slow.is_closed() { Ok(()) } else { Err("open".to_owned()) }
    })
    .await;
    is_closed("a connection that was used and is idle is closed", &idle).await;
    is_closed("a connection on which nothing came is closed", &silent).await;
    let mut next = Connection::open(stage.address).await.unwrap();
    is_served(&mut next, 1).await;
}

#[tokio::test]
async fn who_does_not_take_its_answers_is_cut_off_and_makes_room() {
    let stage = set("connections = 1\nbody_deadline = \"700ms\"").await;
    let mut deaf = Connection::open(stage.address).await.unwrap();
    let many = Request::get("/openapi.json").bytes().repeat(50);
    // More than the system holds between the two; the gateway stops taking requests once it cannot answer.
    let asking = async { while deaf.write(&many).await.is_ok() {} };
    let served = async {
        let mut next = Connection::open(stage.address).await.unwrap();
        is_served(&mut next, 0).await;
    };
    tokio::join!(asking, served);
}
