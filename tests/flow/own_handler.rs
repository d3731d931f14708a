//! The README's example of a handler: what it declares is what its migration makes, its changes are written, and the
//! README shows it as it is.

use std::{fs, path::Path};

use lychgate_worker::handler::Handler;

use crate::rows::{migrated, record};

#[allow(unreachable_pub, reason = "a file of its own, shown as it would stand in the worker")]
#[path = "../../worker/examples/own_handler.rs"]
mod example;

const MIGRATION: &str = include_str!("../../worker/examples/own_handler.sql");

#[tokio::test]
async fn the_example_of_the_readme_writes_its_table_in_any_order_of_arrival() {
    let (store, database) = migrated().await;
    database.connect().await.batch_execute(MIGRATION).await.unwrap();
    let body = r#"{"order": {"id": "o-7", "customer": "ada", "cents": 4200}}"#;
    let mut changes = Vec::new();
    for kind in ["order.paid", "order.shipped"] {
        let event = record(&store, "generic", kind, body).await;
        changes.extend(example::Workshop.handle(&event).await.unwrap().changes);
    }
    for pass in 0..2 {
        for change in &changes {
            store.apply(std::slice::from_ref(change)).await.unwrap();
        }
        let orders = "select order_id || ' ' || customer || ' ' || cents || ' ' || shipped from workshop_order";
        assert_eq!(database.column(orders).await, ["o-7 ada 4200 true"], "pass {pass}");
        database.connect().await.batch_execute("truncate workshop_order").await.unwrap();
        changes.reverse();
    }
    let columns = "select column_name::text from information_schema.columns where table_name = 'workshop_order'";
    let columns = database.column(columns).await;
    let declared = example::ORDER.key.iter().chain(example::ORDER.columns);
    assert!(declared.clone().all(|name| columns.iter().any(|column| column == name)));
    assert_eq!(columns.len(), declared.count() + 1, "and `versions`");
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(house.join("README.md")).unwrap();
    let example = fs::read_to_string(house.join("worker/examples/own_handler.rs")).unwrap();
    let blocks: Vec<&str> = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        for part in block.split("\n\n").map(str::trim_end) {
            assert!(example.contains(part), "not in the example any more:\n{part}");
        }
    }
}
