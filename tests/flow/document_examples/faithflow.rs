//! Document B, "Webhook Integration Guide".

use lychgate_tests::{eventually, sender::faithflow, stage::QueueKind};
use serde_json::{Value, json};

use super::{Example, ends, is_refused};
use crate::campus::{CHURCH, Campus, MEMBER};

/// The same three times: in the Python of "Signature Generation" (with these separators), "Required Fields", "Event Types".
const UPDATED: [Example; 3] = [
    Example {
        section: "Signature Generation (Python)",
        payload: r#"{"event_type":"member.updated","church_id":"3880a17d-f858-4622-87c2-96eaa7b25c83","member_id":"8655d76b-9be0-4681-bd2c-35cd5e09a809","timestamp":"2025-11-20T01:40:00Z"}"#,
    },
    Example {
        section: "Required Fields",
        payload: r#"{
  "event_type": "member.updated",
  "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
  "member_id": "8655d76b-9be0-4681-bd2c-35cd5e09a809",
  "timestamp": "2025-11-20T01:40:00Z"
}"#,
    },
    Example {
        section: "Event Types: Member Updated",
        payload: r#"{
  "event_type": "member.updated",
  "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
  "member_id": "8655d76b-9be0-4681-bd2c-35cd5e09a809",
  "timestamp": "2025-11-20T01:40:00Z"
}"#,
    },
];

const CREATED: Example = Example {
    section: "Event Types: Member Created",
    payload: r#"{
  "event_type": "member.created",
  "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
  "member_id": "new-member-uuid-here",
  "timestamp": "2025-11-20T01:40:00Z"
}"#,
};

const DELETED: Example = Example {
    section: "Event Types: Member Deleted",
    payload: r#"{
  "event_type": "member.deleted",
  "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
  "member_id": "deleted-member-uuid",
  "timestamp": "2025-11-20T01:40:00Z"
}"#,
};

const TESTS: [Example; 2] = [
    Example {
        section: "Event Types: Test Webhook",
        payload: r#"{
  "event_type": "test",
  "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
  "timestamp": "2025-11-20T01:40:00Z"
}"#,
    },
    Example { section: "Test Webhook Connection", payload: r#"{"event_type":"test","church_id":"YOUR_CHURCH_ID"}"# },
];

const MEMBER_UPDATE: Example = Example {
    section: "Test Member Update",
    payload: r#"{
    "event_type": "member.updated",
    "church_id": "YOUR_CHURCH_ID",
    "member_id": "MEMBER_UUID_HERE",
    "timestamp": "2025-11-20T01:40:00Z"
}"#,
};

/// Its church is nobody's, and it names no member.
const CRITICAL: Example = Example {
    section: "Critical Requirements: Example",
    payload: r#"{"event_type":"member.updated","church_id":"xxx"}"#,
};

#[tokio::test]
async fn document_b_shows_eight_payloads_and_five_refusals() {
    let campus = Campus::set(QueueKind::Store).await;
    let (stage, core) = (&campus.stage, &campus.core);
    let (new, gone) = ("new-member-uuid-here", "deleted-member-uuid");
    core.put(new, "NEW MEMBER", CHURCH);
    core.put(gone, "GONE MEMBER", CHURCH);
    let send = |payload: &str| faithflow(&campus.secret, payload.as_bytes().to_vec());
    let before = DELETED.payload.replace("member.deleted", "member.created").replace("01:40:00", "01:39:00");
    ends(stage, "a member to delete", &send(&before), "succeeded").await;

    for example in &UPDATED {
        let reply = ends(stage, example.section, &send(example.payload), "succeeded").await;
        let words = json!({"success": true, "message": "Member updated: SUMARNI NINGSIH", "member_id": MEMBER});
        assert_eq!(reply.json(), words, "{}", example.section);
    }
    let again = stage.send(&send(UPDATED[2].payload)).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{again:?}");
    let reply = ends(stage, CREATED.section, &send(CREATED.payload), "succeeded").await;
    assert_eq!(reply.json(), json!({"success": true, "message": "Member created: NEW MEMBER", "member_id": new}));
    // The example's time is long past: that the member is gone is asked of the core system.
    core.remove(gone);
    let reply = ends(stage, DELETED.section, &send(DELETED.payload), "succeeded").await;
    assert_eq!(reply.json(), json!({"success": true, "message": "Member archived: GONE MEMBER", "member_id": gone}));
    let kept = "select archived_reason from members where is_archived";
    assert_eq!(stage.database.column(kept).await, ["Deleted in core system"]);

    // What a reader fills in: their church, a member of theirs.
    let filled = |payload: &str| payload.replace("YOUR_CHURCH_ID", CHURCH).replace("MEMBER_UUID_HERE", new);
    for example in &TESTS {
        let reply = stage.send(&send(&filled(example.payload))).await;
        assert_eq!(reply.status, 200, "{}: {reply:?}", example.section);
        let mut said = reply.json();
        assert!(said["timestamp"].as_str().is_some_and(|at| at.ends_with("+00:00")), "{said}");
        said.as_object_mut().unwrap().remove("timestamp");
        let message = "Webhook test successful! FaithTracker is ready to receive member updates.";
        assert_eq!(said, json!({"success": true, "message": message}), "{}", example.section);
    }
    let reply = ends(stage, MEMBER_UPDATE.section, &send(&filled(MEMBER_UPDATE.payload)), "succeeded").await;
    assert_eq!(reply.json(), json!({"success": true, "message": "Member updated: NEW MEMBER", "member_id": new}));

    let detail = |text: &str| json!({ "detail": text });
    let refused =
        async |request, status, text| is_refused(stage, CRITICAL.section, &request, status, &detail(text)).await;
    let good = || send(UPDATED[0].payload);
    refused(good().without("X-Webhook-Signature"), 401, "Missing webhook signature").await;
    refused(good().replacing("X-Webhook-Signature", "a1b2c3d4e5f6789..."), 401, "Invalid webhook signature").await;
    let nameless: Value = json!({"event_type": "member.updated", "member_id": MEMBER});
    refused(send(&nameless.to_string()), 400, "Missing campus_id in payload").await;
    refused(send(CRITICAL.payload), 404, "Sync not configured for this campus").await;
    refused(send(&CRITICAL.payload.replace("xxx", CHURCH)), 400, "Missing member_id in payload").await;

    // "Webhook Logs": every delivery, with these columns.
    let logged =
        "select count(*) from webhook_logs where id is not null and campus_id is not null and event_type is not null
        and payload is not null and received_at is not null and signature_valid and member_id = 'new-member-uuid-here'";
    eventually("every delivery is logged", async || match stage.database.count(logged).await {
        2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let disabled = stage.lychgate(&["campus", "disable", "--church-id", CHURCH]);
    assert_eq!(disabled.code, 0, "{disabled:?}");
    eventually("the campus is disabled", async || match stage.send(&good()).await {
        reply if reply.status == 403 && reply.json() == detail("Sync is disabled for this campus") => Ok(()),
        reply => Err(format!("{reply:?}")),
    })
    .await;
}
