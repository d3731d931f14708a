//! The harness itself: what it says about the servers must be so, or every other test proves nothing.

use lychgate_tests::{Broker, Database, Node, Postgres, database::connect};

#[tokio::test]
async fn every_test_has_a_migrated_database_of_its_own() {
    let (one, other) = (Database::fresh().await, Database::fresh().await);
    assert_ne!(one.url(), other.url());
    assert_eq!(one.count("select count(*) from event").await, 0);
}

#[tokio::test]
async fn what_a_killed_postgresql_had_committed_is_there_after_it() {
    let postgres = Postgres::start().await;
    let client = connect(&postgres.admin_url()).await.unwrap();
    client.batch_execute("create table promise (n int); insert into promise values (7)").await.unwrap();
    postgres.kill9();
    assert!(connect(&postgres.admin_url()).await.is_err());
    postgres.start_again().await;
    let client = connect(&postgres.admin_url()).await.unwrap();
    assert_eq!(client.query_one("select n from promise", &[]).await.unwrap().get::<_, i32>(0), 7);
}

#[tokio::test]
async fn every_test_has_a_virtual_host_of_its_own() {
    let (one, other) = tokio::join!(Broker::fresh(), Broker::fresh());
    assert_ne!(one.url(), other.url());
    one.connect().await;
    other.connect().await;
    assert_eq!(one.control("list_queues", &["name"]).await.trim(), "");
}

#[tokio::test]
async fn a_killed_rabbitmq_comes_back_at_the_same_address() {
    let node = Node::start().await;
    node.kill9();
    node.start_again().await;
    node.stop_app().await;
    node.start_app().await;
}
