//! Document B to the letter: its Python example runs unchanged, its answers are its own words.

use std::process::Command;

use jiff::SignedDuration;
use lychgate_common::clock::Clock;
use lychgate_tests::{
    http::Reply,
    sender::faithflow,
    stage::{QUICK, QueueKind, ran},
};
use serde_json::{Value, json};

use crate::campus::{self, CHURCH, Campus, MEMBER};

/// The document's example, as it stands there.
const EXAMPLE: &str = include_str!("faithflow_example.py");

/// Runs the example with only the URL, the secret and the ids filled in; its output.
fn run_the_example(campus: &Campus) -> String {
    let url = format!("http://{}", campus.stage.address);
    let script = EXAMPLE
        .replace("https://your-faithtracker-domain.com", &url)
        .replace("YOUR_WEBHOOK_SECRET_FROM_FAITHTRACKER", &campus.secret)
        .replace("3880a17d-f858-4622-87c2-96eaa7b25c83", CHURCH)
        .replace("8655d76b-9be0-4681-bd2c-35cd5e09a809", MEMBER);
    let python = std::env::var("LYCHGATE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let done = ran(Command::new(python).args(["-c", &script]).env_remove("http_proxy").env("NO_PROXY", "127.0.0.1"));
    assert_eq!(done.code, 0, "{done:?}");
    done.out.trim().to_owned()
}

async fn the_example_prints_the_members_name(kind: QueueKind) {
    let campus = Campus::set(kind).await;
    let expected =
        format!("200 {{'success': True, 'message': 'Member updated: SUMARNI NINGSIH', 'member_id': '{MEMBER}'}}");
    assert_eq!(run_the_example(&campus), expected, "{}", campus.stage.worker.output());
    let stored = campus.stage.database.column("select name from members").await;
    assert_eq!(stored, ["SUMARNI NINGSIH"]);
    assert_eq!(run_the_example(&campus), expected, "a repetition gets the original answer");
    assert_eq!(campus.stage.database.count("select count(*) from event").await, 1);
}

#[tokio::test]
async fn the_documents_python_example_prints_200_and_the_members_name_over_the_store() {
    the_example_prints_the_members_name(QueueKind::Store).await;
}

#[tokio::test]
async fn the_documents_python_example_prints_200_and_the_members_name_over_rabbitmq() {
    the_example_prints_the_members_name(QueueKind::Broker).await;
}

#[tokio::test]
async fn each_error_of_the_document_has_exactly_its_status_and_body() {
    let campus = Campus::set(QueueKind::Store).await;
    let good = || campus.body("member.updated", MEMBER, 1);
    let send = async |request: lychgate_tests::http::Request| campus.stage.send(&request).await;
    let is = |reply: &Reply, status: u16, detail: &str| {
        assert_eq!((reply.status, reply.json()), (status, json!({"detail": detail})), "{reply:?}");
    };

    is(&send(faithflow(&campus.secret, good()).without("X-Webhook-Signature")).await, 401, "Missing webhook signature");
    is(&send(faithflow("another secret", good())).await, 401, "Invalid webhook signature");
    let cut = |value: String| value[..63].to_owned();
    let right = faithflow(&campus.secret, good()).value("x-webhook-signature").unwrap();
    for wrong in [cut(right.clone()), right.to_uppercase(), format!("sha256={right}"), "zz".repeat(32)] {
        let request = faithflow(&campus.secret, good()).replacing("X-Webhook-Signature", wrong);
        is(&send(request).await, 401, "Invalid webhook signature");
    }
    let without_campus = json!({"event_type": "member.updated", "member_id": MEMBER}).to_string();
    is(&send(faithflow(&campus.secret, without_campus.into())).await, 400, "Missing campus_id in payload");
    let unknown = json!({"event_type": "member.updated", "church_id": "nobody", "member_id": MEMBER}).to_string();
    is(&send(faithflow(&campus.secret, unknown.into())).await, 404, "Sync not configured for this campus");
    let odd = campus.body("member.promoted", MEMBER, 2);
    assert_eq!(send(faithflow(&campus.secret, odd)).await.status, 400);
    let nobody = json!({"event_type": "member.updated", "church_id": CHURCH}).to_string();
    let reply = send(faithflow(&campus.secret, nobody.into())).await;
    is(&reply, 400, "Missing member_id in payload");

    let disabled = campus.stage.lychgate(&["campus", "disable", "--church-id", CHURCH]);
    assert_eq!(disabled.code, 0, "{disabled:?}");
    let reply = lychgate_tests::eventually("the campus is disabled", async || {
        match campus.stage.send(&faithflow(&campus.secret, good())).await {
            reply if reply.status == 403 => Ok(reply),
            reply => Err(format!("{reply:?}")),
        }
    })
    .await;
    is(&reply, 403, "Sync is disabled for this campus");
    is(&send(faithflow("another secret", good())).await, 401, "Invalid webhook signature");

    let logged = "select count(*) from webhook_logs where not signature_valid";
    lychgate_tests::eventually("refused deliveries are in webhook_logs", async || {
        match campus.stage.database.count(logged).await {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_made_a_moment_ago_is_taken_at_once_and_so_is_a_campus() {
    let campus = Campus::set(QueueKind::Store).await;
    let send = async |secret: &str, n: usize| {
        campus.stage.send(&faithflow(secret, campus.body("member.updated", MEMBER, n))).await
    };
    let before = send(&campus.secret, 1).await;
    assert!(before.is_success(), "known from now on: {before:?}");
    let rotated = campus.stage.lychgate(&["campus", "rotate-secret", "--church-id", CHURCH]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let new = campus::secret_in(&rotated.out);
    assert_eq!(send(&new, 2).await.status, before.status, "the new secret");
    assert_eq!(send(&campus.secret, 3).await.status, before.status, "the old one, for its time");

    let newcomer = |n: usize| {
        let body = json!({"event_type": "ping", "church_id": "church-new", "n": n}).to_string().into_bytes();
        faithflow(&new, body)
    };
    assert_eq!(campus.stage.send(&newcomer(1)).await.status, 404);
    let core = campus.core.url();
    let add = ["campus", "add", "--church-id", "church-new", "--core-url", &core, "--core-token", "core-token"];
    assert_eq!(campus.stage.lychgate(&add).code, 0);
    assert_eq!(campus.stage.send(&newcomer(2)).await.status, 401, "not its secret, but it is known");
}

#[tokio::test]
async fn a_test_or_ping_is_answered_directly_and_never_reaches_the_queue() {
    let campus = Campus::set(QueueKind::Store).await;
    for kind in ["test", "ping"] {
        let body = json!({"event_type": kind, "church_id": CHURCH}).to_string().into_bytes();
        let reply = campus.stage.send(&faithflow(&campus.secret, body)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let answer = reply.json();
        assert_eq!(answer["success"], Value::Bool(true));
        let words = "Webhook test successful! FaithTracker is ready to receive member updates.";
        assert_eq!(answer["message"], words);
        assert!(answer["timestamp"].is_string(), "{answer}");
    }
    assert_eq!(campus.stage.database.count("select count(*) from event").await, 0);
}

#[tokio::test]
async fn every_delivery_is_a_whole_row_of_webhook_logs_repetitions_too() {
    let campus = Campus::set(QueueKind::Store).await;
    let body = campus.body("member.updated", MEMBER, 1);
    for _ in 0..3 {
        let reply = campus.stage.send(&faithflow(&campus.secret, body.clone())).await;
        assert!(reply.is_success(), "{reply:?}");
    }
    let database = &campus.stage.database;
    lychgate_tests::eventually("three deliveries are logged", async || {
        match database.count("select count(*) from webhook_logs").await {
            3 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    let rows = "select distinct concat_ws('|', church_id, event_type, member_id, signature_valid::text, payload::text)
                from webhook_logs left join campus_sync using (campus_id)";
    let rows = database.column(rows).await;
    let payload: Value = serde_json::from_slice(&body).unwrap();
    let [row] = rows.as_slice() else { panic!("they differ: {rows:?}") };
    let told = row.strip_prefix(&format!("{CHURCH}|member.updated|{MEMBER}|true|")).unwrap_or_else(|| panic!("{row}"));
    assert_eq!(serde_json::from_str::<Value>(told).unwrap(), payload);
    let keys = "select count(*) from delivery_log join event on event.id = event_id where delivery_log.key = event.key";
    assert_eq!(database.count(keys).await, 2, "and the log of duplicates names the key");
}

/// What could not be told of the member is 202, be it that the sender does not wait or that nobody is to.
#[tokio::test]
async fn an_answer_that_does_not_wait_is_202_and_so_are_its_repetitions() {
    let hasty = "[[source]]\nname = \"hasty\"\npreset = \"faithflow\"\npath = \"/hasty\"\nwait = \"0s\"\n";
    let campus = Campus::set_with(QueueKind::Store, &format!("{QUICK}{hasty}")).await;
    for (nth, (path, first, then)) in
        [("/api/sync/webhook", Some("wait=0"), None), ("/hasty", None, Some("wait=20"))].into_iter().enumerate()
    {
        let body = campus.body("member.updated", MEMBER, nth);
        let send = async |preference: Option<&str>| {
            let mut request = faithflow(&campus.secret, body.clone());
            path.clone_into(&mut request.path);
            match preference {
                Some(preference) => campus.stage.send(&request.header("Prefer", preference)).await,
                None => campus.stage.send(&request).await,
            }
        };
        let original = send(first).await;
        let id = original.event_id();
        let words = json!({"success": true, "message": "Member update accepted", "member_id": MEMBER, "id": id});
        assert_eq!((original.status, original.json()), (202, words), "{original:?}");
        campus.stage.becomes(id, "succeeded").await;
        for preference in [then, first] {
            let again = send(preference).await;
            assert_eq!((again.status, &again.body), (202, &original.body), "{path}: {again:?}");
            assert_eq!((again.header("idempotent-replayed"), again.event_id()), (Some("true"), id));
        }
    }
}

#[tokio::test]
async fn a_member_is_created_updated_and_archived_and_what_is_local_stays() {
    let campus = Campus::set(QueueKind::Store).await;
    let database = &campus.stage.database;
    let send = async |kind: &str, n: usize| {
        let reply = campus.stage.send(&faithflow(&campus.secret, campus.body(kind, MEMBER, n))).await;
        assert!(reply.is_success(), "{reply:?}");
        campus.stage.becomes(reply.event_id(), "succeeded").await;
        reply
    };
    assert_eq!(send("member.created", 1).await.json()["message"], "Member created: SUMARNI NINGSIH");
    assert_eq!(database.column("select engagement_status from members").await, ["active"]);

    let local = "update members set notes = 'likes to sing', engagement_status = 'at_risk'";
    database.connect().await.batch_execute(local).await.unwrap();
    campus.core.put(MEMBER, "SUMARNI N. BAMBANG", CHURCH);
    assert_eq!(send("member.updated", 2).await.json()["message"], "Member updated: SUMARNI N. BAMBANG");
    let row = "select name || '|' || notes || '|' || engagement_status from members";
    assert_eq!(database.column(row).await, ["SUMARNI N. BAMBANG|likes to sing|at_risk"]);

    campus.core.remove(MEMBER);
    send("member.deleted", 3).await;
    let row = "select is_archived::text || '|' || archived_reason || '|' || notes from members";
    assert_eq!(database.column(row).await, ["true|Deleted in core system|likes to sing"]);
}

/// The document's times are whole seconds, and a sender's clock is not ours. A deletion from before we last saw the member
/// may be news or an old story: the core system knows, and the answer says what was done.
#[tokio::test]
async fn a_deletion_by_a_clock_that_is_behind_archives_and_one_of_a_member_who_came_back_does_not() {
    let campus = Campus::set(QueueKind::Store).await;
    let database = &campus.stage.database;
    let send = async |kind: &str, member: &str, behind: i64| {
        let at = Clock::system().now() - SignedDuration::from_secs(behind);
        let body =
            json!({"event_type": kind, "church_id": CHURCH, "member_id": member, "timestamp": format!("{at:.0}")});
        let reply = campus.stage.send(&faithflow(&campus.secret, body.to_string().into_bytes())).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["message"].clone()
    };
    let archived = "select member_id || ' ' || archived_reason from members where is_archived order by 1";

    for (member, behind) in [("behind", 5), ("same-second", 0)] {
        campus.core.put(member, "BUDI", CHURCH);
        assert_eq!(send("member.created", member, behind).await, "Member created: BUDI");
        campus.core.remove(member);
        assert_eq!(send("member.deleted", member, behind).await, "Member archived: BUDI");
    }
    let gone = ["behind Deleted in core system", "same-second Deleted in core system"];
    assert_eq!(database.column(archived).await, gone);

    campus.core.put("back", "HANA", CHURCH);
    assert_eq!(send("member.created", "back", 0).await, "Member created: HANA");
    assert_eq!(send("member.updated", "back", 0).await, "Member updated: HANA");
    assert_eq!(send("member.deleted", "back", 60).await, "Member not archived: HANA");
    assert_eq!(database.column(archived).await, gone);
}

/// The contract of all sources: a known key gets the original status and body again. An operator's replay changes what
/// has become of the event, and not what its sender was told; that is for the receipt to say, which the answer points to.
#[tokio::test]
async fn a_repetition_gets_its_first_answer_after_a_replay_too_and_the_receipt_says_what_has_become_of_it() {
    let campus = Campus::set(QueueKind::Store).await;
    let send = async |body: &[u8]| campus.stage.send(&faithflow(&campus.secret, body.to_vec())).await;
    campus.core.remove(MEMBER);
    let body = campus.body("member.updated", MEMBER, 1);
    let first = send(&body).await;
    assert_eq!((first.status, first.detail().as_str()), (404, "Member not found"));
    let id = first.event_id();
    campus.stage.becomes(id, "dead").await;
    campus.core.put(MEMBER, "SUMARNI NINGSIH", CHURCH);
    let replay = ["dead-letters", "replay", "--id", &id.to_string(), "--reason", "the member is there", "--yes"];
    let replayed = campus.stage.lychgate(&replay);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    campus.stage.becomes(id, "succeeded").await;
    let again = send(&body).await;
    assert_eq!((again.status, again.body.clone()), (404, first.body.clone()), "the original answer");
    assert_eq!((again.header("idempotent-replayed"), again.event_id()), (Some("true"), id));
    let mut receipt = faithflow(&campus.secret, Vec::new());
    (receipt.method, receipt.path) = ("GET".to_owned(), first.header("location").unwrap().to_owned());
    let told = campus.stage.send(&receipt).await;
    assert_eq!((told.status, told.json()["status"].as_str()), (200, Some("succeeded")), "{told:?}");
    assert_eq!(campus.stage.database.column("select name from members").await, ["SUMARNI NINGSIH"]);
}

#[tokio::test]
async fn an_operator_reconciles_a_campus_and_a_wrong_word_about_one_is_wrong_usage() {
    let campus = Campus::set(QueueKind::Store).await;
    let reconciled = campus.stage.lychgate(&["campus", "reconcile", "--church-id", CHURCH]);
    assert_eq!(reconciled.code, 0, "{reconciled:?}");
    assert!(reconciled.out.contains("\"done\""), "{reconciled:?}");
    let stored = "select count(*) from members where name = 'SUMARNI NINGSIH' and not is_archived";
    assert_eq!(campus.stage.database.count(stored).await, 1);

    let wrong = ["campus", "add", "--church-id", "other", "--core-url", "nonsense", "--core-token", "core-token"];
    let refused = campus.stage.lychgate(&wrong);
    assert!(refused.code == 2 && refused.err.contains("core-url"), "{refused:?}");
}
