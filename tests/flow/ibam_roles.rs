//! Memberships and church leaders through the real binaries, and the catalogue that operators import and export.

use lychgate_tests::stage::{QueueKind, Stage};
use serde_json::{Value, json};

use crate::ibam_webhooks::{sale, signed, sources};

on_both!(
    a_member_has_the_level_of_the_tier_until_the_membership_expires,
    a_leader_has_rights_while_assigned_and_none_when_withdrawn,
);

fn told(kind: &str, id: &str, data: Value) -> Value {
    let mut data = data;
    data["contact"] = json!({"email": "jane@example.com", "fields": {"first_name": "Jane"}});
    json!({"type": kind, "id": id, "created_at": lychgate_tests::sender::now_text(), "data": data})
}

async fn tell(stage: &Stage, path: &str, kind: &str, id: &str, data: Value) {
    let sent = stage.send(&signed(path, kind, id, &told(kind, id, data))).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    stage.becomes(sent.event_id(), "succeeded").await;
}

async fn a_member_has_the_level_of_the_tier_until_the_membership_expires(kind: QueueKind) {
    let stage = Stage::set_with(kind, &sources("")).await;
    let path = "/webhooks/systeme-membership";
    let file = stage.gateway.directory().path().join("tiers.csv");
    std::fs::write(&file, "tier,title,access_level,rank,price_plan_id,tag\nGold,Gold,full,2,3,\n").unwrap();
    let imported = stage.lychgate(&["ibam", "tiers", "import", file.to_str().unwrap()]);
    assert_eq!((imported.code, imported.out.trim()), (0, r#"{"set":1,"removed":0}"#), "{imported:?}");
    tell(&stage, path, "membership.created", "a-1", json!({"membership": {"tier": "Gold"}})).await;
    let now = "select level || ' ' || via from access_now order by 1";
    assert_eq!(stage.database.column(now).await, ["full membership"]);
    tell(&stage, path, "membership.expired", "b-2", json!({"membership": {}})).await;
    assert!(stage.database.column(now).await.is_empty());
    // Systeme.io's own sale of the plan that the tier names, told at both addresses: one payment, one line of history.
    for (path, id) in [(path, "m1"), ("/webhooks/systemio", "m2")] {
        let mut sold = signed(path, "SALE_NEW", id, &sale());
        sold = sold.replacing("X-Webhook-Event-Timestamp", "2026-09-27T12:00:00+00:00");
        let sold = stage.send(&sold).await;
        stage.becomes(sold.event_id(), "succeeded").await;
    }
    assert_eq!(stage.database.column(now).await, ["full order:9"]);
    assert_eq!(
        stage.database.column("select payment_id || ' ' || change from payment_history").await,
        ["order:9 paid"]
    );
}

async fn a_leader_has_rights_while_assigned_and_none_when_withdrawn(kind: QueueKind) {
    let stage = Stage::set_with(kind, &sources("")).await;
    let path = "/webhooks/systeme-church-leader";
    let data = json!({"role": "Pastor", "permissions": ["members.read"],
        "organisation": {"id": "church-7", "name": "Grace", "parent_id": "district-2"}});
    tell(&stage, path, "church_leader.assigned", "a-1", data.clone()).await;
    let rights = "select permission from leader_rights";
    assert_eq!(stage.database.column(rights).await, ["members.read"]);
    assert_eq!(stage.database.column("select name || ' ' || parent_id from organisations").await, ["Grace district-2"]);
    tell(&stage, path, "church_leader.withdrawn", "b-2", data).await;
    assert!(stage.database.column(rights).await.is_empty());
    let audit = "select role || ' ' || change from church_leader_audit order by at, change";
    assert_eq!(stage.database.column(audit).await, ["pastor assigned", "pastor withdrawn"]);
}

#[tokio::test]
async fn courses_and_tiers_come_out_as_they_went_in_and_a_mistake_names_its_line() {
    let stage = Stage::set_with(QueueKind::Store, &sources("")).await;
    let at = |name: &str| stage.gateway.directory().path().join(name).to_str().unwrap().to_owned();
    let file = at("catalogue.csv");
    for (part, good, bad, words) in [
        (
            "courses",
            "course_id,title,systeme_course_id,systeme_bundle_id\nfoundations,\"Foundations, first\",680647,\n",
            "course_id,title\n,Nothing\n",
            "line 2: ",
        ),
        (
            "tiers",
            "tier,title,access_level,rank,price_plan_id,tag\ngold,Gold,full,2,3,gold member\n",
            "tier,title\ngold,Gold\n",
            "line 2: missing field `access_level`",
        ),
    ] {
        std::fs::write(&file, good).unwrap();
        let imported = stage.lychgate(&["ibam", part, "import", &file]);
        assert_eq!((imported.code, imported.out.trim()), (0, r#"{"set":1,"removed":0}"#), "{part}: {imported:?}");
        assert_eq!(stage.lychgate(&["ibam", part, "export"]).out, good);
        std::fs::write(&file, bad).unwrap();
        let wrong = stage.lychgate(&["ibam", part, "import", &file]);
        assert!(wrong.code == 2 && wrong.err.contains(words), "{part}: {wrong:?}");
        assert_eq!(stage.lychgate(&["ibam", part, "export"]).out, good, "a file with a mistake changes nothing");
    }
}
