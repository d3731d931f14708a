//! Equal bodies from Systeme.io, whose ids are not signed: what really happens twice counts twice, and a captured request
//! does not.

use lychgate_tests::{
    fact::eventually,
    stage::{QueueKind, Stage},
};
use serde_json::{Value, json};

use crate::ibam_webhooks::{ACCESS, SECRET, sale, signed, sources};

on_both!(
    a_tag_that_is_given_taken_and_given_again_in_equal_bodies_is_there_and_a_captured_request_is_refused,
    a_sale_and_its_cancellation_in_equal_bodies_both_count,
);

/// A source like Systeme.io's whose window is over soon.
fn brief() -> String {
    format!(
        "[[source]]\nname = \"brief\"\npreset = \"systemeio\"\npath = \"/webhooks/brief\"\nsecrets = [{SECRET:?}]\n\
         body_guard_window = \"1s\"\n"
    )
}

fn tagged() -> Value {
    json!({"contact": {"id": 42, "email": "jane@example.com", "tags": []}, "tag": {"id": 12, "name": "Member"}})
}

async fn a_tag_that_is_given_taken_and_given_again_in_equal_bodies_is_there_and_a_captured_request_is_refused(
    kind: QueueKind,
) {
    let stage = Stage::set_with(kind, &sources(&brief())).await;
    let map = "insert into courses (course_id) values ('welcome');
        insert into course_tag_map (tag, course_id) values ('member', 'welcome')";
    stage.database.connect().await.batch_execute(map).await.unwrap();
    let path = "/webhooks/systemio";
    let first = stage.send(&signed(path, "CONTACT_TAG_ADDED", "m1", &tagged())).await;
    stage.becomes(first.event_id(), "succeeded").await;
    let captured = stage.send(&signed(path, "CONTACT_TAG_ADDED", "forged", &tagged())).await;
    assert_eq!((captured.event_id(), captured.header("idempotent-replayed")), (first.event_id(), Some("true")));

    let path = "/webhooks/brief";
    for (id, kind) in [("b1", "CONTACT_TAG_ADDED"), ("b2", "CONTACT_TAG_REMOVED")] {
        let sent = stage.send(&signed(path, kind, id, &tagged())).await;
        assert_eq!((sent.status, sent.header("idempotent-replayed")), (200, None), "{kind}: {sent:?}");
        stage.becomes(sent.event_id(), "succeeded").await;
    }
    assert!(stage.database.column(ACCESS).await.is_empty());
    let mut times = 0;
    let again = eventually("an equal body is an event again, its window over", async || {
        times += 1;
        let sent = stage.send(&signed(path, "CONTACT_TAG_ADDED", &format!("b3-{times}"), &tagged())).await;
        match sent.header("idempotent-replayed") {
            None if sent.status == 200 => Ok(sent.event_id()),
            _ => Err(format!("{sent:?}")),
        }
    })
    .await;
    stage.becomes(again, "succeeded").await;
    assert_eq!(stage.database.column(ACCESS).await, ["welcome"]);
}

async fn a_sale_and_its_cancellation_in_equal_bodies_both_count(kind: QueueKind) {
    let stage = Stage::set_with(kind, &sources("")).await;
    for (id, kind) in [("m1", "SALE_NEW"), ("m2", "SALE_CANCELED")] {
        let sent = stage.send(&signed("/webhooks/systemio", kind, id, &sale())).await;
        assert_eq!((sent.status, sent.header("idempotent-replayed")), (200, None), "{kind}: {sent:?}");
        stage.becomes(sent.event_id(), "succeeded").await;
    }
    assert_eq!(stage.database.column("select status from payments").await, ["cancelled"]);
    assert!(stage.database.column(ACCESS).await.is_empty());
}
