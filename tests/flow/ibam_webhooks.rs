//! IBAM through the real binaries: a signed sale and an unsigned course enrolment become a user with access; a magic
//! token signs in once; monitors see how things are; operators try a payload without effect.

use lychgate_common::magic::MagicToken;
use lychgate_tests::{
    Database, Program,
    fact::eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::hex_sha256,
    stage::{self, QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "systemeio-secret-0123456789";
const URL_SECRET: &str = "p3Vd0c6m8kQyHqXbZ1sT7w";
const OPERATOR: &str = "operator-token-0123456789";

/// IBAM's four sources, and what operators show.
pub(crate) fn sources(more: &str) -> String {
    let source = |preset: &str, secret: &str| {
        format!("[[source]]\nname = {preset:?}\npreset = {preset:?}\nsecrets = [{secret:?}]\n")
    };
    format!(
        "{QUICK}\n[ops]\noperator_token = {OPERATOR:?}\n[ibam]\ncatalogue_memory = \"0s\"\n\
         magic_link = \"https://ibam.example.org/enter\"\n{more}\n{}{}{}{}",
        source("systemeio", SECRET),
        source("systemeio-automation", URL_SECRET),
        source("systeme-membership", SECRET),
        source("systeme-church-leader", SECRET),
    )
}

/// As Systeme.io's settings webhooks send: signed over the raw body, type and id beside it.
pub(crate) fn signed(path: &str, kind: &str, id: &str, body: &Value) -> Request {
    // PHP writes `/` as `\/`, and so does the sender.
    let body = body.to_string().replace('/', "\\/").into_bytes();
    let signature = hex_sha256(SECRET.as_bytes(), &body);
    Request::post(path, body)
        .header("X-Webhook-Signature", signature)
        .header("X-Webhook-Event", kind)
        .header("X-Webhook-Message-Id", id)
        .header("X-Webhook-Event-Timestamp", lychgate_tests::sender::now_text())
        .header("User-Agent", "SystemeIO-Webhook")
}

pub(crate) fn sale() -> Value {
    json!({
        "customer": {"id": 7, "contactId": 42, "email": "Jane@example.com", "fields": {"first_name": "Jane"},
            "paymentProcessor": "stripe", "sourceUrl": "https://x.io/p"},
        "order": {"id": 9, "createdAt": "2026-09-27T11:59:00+00:00", "totalPrice": 1900, "vat": 0.0},
        "orderItem": {"id": 5, "resources": [{"course": {"id": 680_647, "name": "Foundations"}}]},
        "pricePlan": {"id": 3, "name": "Once", "type": "one_shot", "amount": 1900, "currency": "eur"},
    })
}

fn enrolled() -> Value {
    json!({"type": "contact.course.enrolled", "data": {
        "course": {"id": 5, "name": "Prayer", "description": null},
        "contact": {"id": 42, "email": "jane@example.com", "fields": {"first_name": "Jane"}, "ip": null},
        "access_type": "full_access"}, "account": {"email": "seller@example.com"}, "created_at": "2026-09-27T19:57:41+00:00"})
}

pub(crate) const ACCESS: &str = "select course_id from course_access where active order by 1";

on_both!(
    sales_enrolments_and_tags_become_users_with_access_and_their_token_signs_in_once,
    a_cycle_of_organisations_is_a_dead_letter_that_says_so,
);

async fn sales_enrolments_and_tags_become_users_with_access_and_their_token_signs_in_once(kind: QueueKind) {
    let stage = Stage::set_with(kind, &sources("")).await;
    let courses = stage.database.connect().await;
    courses
        .batch_execute("insert into courses (course_id, systeme_course_id) values ('foundations', '680647')")
        .await
        .unwrap();

    let first = stage.send(&signed("/webhooks/systemio", "SALE_NEW", "m1", &sale())).await;
    assert_eq!(first.status, 200, "{first:?}");
    stage.becomes(first.event_id(), "succeeded").await;
    let again = stage.send(&signed("/webhooks/systemio", "SALE_NEW", "m1", &sale())).await;
    assert_eq!((again.event_id(), again.header("idempotent-replayed")), (first.event_id(), Some("true")));
    let user =
        "select concat_ws(' ', a.email, a.provider, p.first_name, p.magic_token is not null, m.amount_cents, m.status)
        from auth_users a join user_profiles p using (email) join payments m using (email)";
    assert_eq!(stage.database.column(user).await, ["jane@example.com local Jane t 1900 paid"]);
    assert_eq!(stage.database.column(ACCESS).await, ["foundations"]);
    let mail = stage.database.column("select id::text from email_queue where template = 'welcome'").await;
    let key = lychgate_common::secret::Secret::from("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    let vault = lychgate_common::vault::Vault::new(&key, &[]).unwrap();
    let token = MagicToken::of_mail(&vault, mail[0].parse().unwrap()).next().unwrap().expose().to_owned();

    let open = Request::post("/webhooks/systemio-automation", enrolled().to_string());
    assert_eq!(stage.send(&open).await.status, 401, "never accepted open");
    let known = Request::post(&format!("/webhooks/systemio-automation?token={URL_SECRET}"), enrolled().to_string());
    let accepted = stage.send(&known).await;
    stage.becomes(accepted.event_id(), "succeeded").await;
    assert_eq!(stage.database.column(ACCESS).await, ["foundations", "systeme-5"]);
    assert_eq!(stage.database.count("select count(*) from email_queue").await, 1, "one welcome");

    let enter = |token: &str| Request::post("/auth/magic", json!({ "token": token }).to_string());
    assert_eq!(stage.send(&enter("guess")).await.status, 401);
    let let_in = stage.send(&enter(&token)).await;
    assert_eq!((let_in.status, &let_in.json()["user"]["email"]), (200, &json!("jane@example.com")), "{let_in:?}");
    assert_eq!(stage.send(&enter(&token)).await.detail(), "Invalid or expired magic token: ask for a new one");
    let issued = stage.lychgate(&["magic-token", "issue", "--email", "Jane@example.com", "--json"]);
    let issued: Value = serde_json::from_str(&issued.out).unwrap_or_else(|_| panic!("{issued:?}"));
    assert_eq!(stage.send(&enter(issued["token"].as_str().unwrap())).await.status, 200);
    for log in [stage.gateway.output(), stage.worker.output()] {
        assert!(!log.contains(&token), "a token was logged");
    }
}

#[tokio::test]
async fn the_tag_map_is_managed_by_command_and_takes_effect_without_a_restart() {
    let stage = Stage::set_with(QueueKind::Store, &sources("")).await;
    let file = stage.gateway.directory().path().join("tags.csv");
    std::fs::write(&file, "tag,course_id\nMember,welcome\n").unwrap();
    let file = file.to_str().unwrap();
    let imported = stage.lychgate(&["ibam", "tags", "import", file]);
    assert_eq!((imported.code, imported.out.trim()), (0, r#"{"set":1,"removed":0}"#), "{imported:?}");
    assert_eq!(stage.lychgate(&["ibam", "tags", "export"]).out, "tag,course_id\nmember,welcome\n");
    let body =
        json!({"contact": {"id": 42, "email": "jane@example.com", "tags": []}, "tag": {"id": 12, "name": "Member"}});
    let added = stage.send(&signed("/webhooks/systemio", "CONTACT_TAG_ADDED", "m1", &body)).await;
    stage.becomes(added.event_id(), "succeeded").await;
    assert_eq!(stage.database.column(ACCESS).await, ["welcome"]);
    std::fs::write(file, "tag\nMember\n").unwrap();
    let wrong = stage.lychgate(&["ibam", "tags", "import", file]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("line 2: missing field `course_id`"), "{wrong:?}");
}

async fn a_cycle_of_organisations_is_a_dead_letter_that_says_so(kind: QueueKind) {
    let stage = Stage::set_with(kind, &sources("")).await;
    let moved = |id: &str, parent: &str| json!({"type": "organisation.moved", "id": format!("{id}-{parent}"), "data": {"organisation": {"id": id, "parent_id": parent}}});
    let send = async |id: &str, parent: &str| {
        let request = signed("/webhooks/systeme-church-leader", "organisation.moved", id, &moved(id, parent));
        stage.send(&request).await.event_id()
    };
    stage.becomes(send("b", "a").await, "succeeded").await;
    stage.becomes(send("a", "b").await, "dead").await;
    let said = stage.database.column("select class || ': ' || message from dead_letter").await;
    assert!(said[0].starts_with("hierarchy_cycle: organisation a cannot be placed under b"), "{said:?}");
}

#[tokio::test]
async fn the_health_monitor_says_200_while_there_are_workers_and_503_when_there_are_none() {
    let stage = Stage::set_with(QueueKind::Store, &sources("")).await;
    let monitor = Request::get("/webhooks/health-monitor");
    eventually("a worker has shown itself", async || {
        let page = stage.send(&monitor).await;
        if page.status == 200 { Ok(()) } else { Err(format!("{page:?}")) }
    })
    .await;
    let page = stage.send(&monitor).await.json();
    assert_eq!((&page["status"], &page["checks"]["workers"]["alive"]), (&json!("healthy"), &json!(1)));
    assert_eq!(page["checks"]["backlog"], json!({"open": 0, "oldest_age_seconds": null}));
    let Stage { worker, gateway: _gateway, address, .. } = stage;
    worker.stop().await;
    eventually("the worker is missed", async || {
        let page = monitor.send(address).await.map_err(|error| error.to_string())?;
        if page.status == 503 && page.json()["status"] == "unhealthy" { Ok(()) } else { Err(format!("{page:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_simulation_shows_what_would_change_and_changes_nothing() {
    let database = Database::fresh().await;
    let settings = stage::settings(database.url(), None).with(&sources(""));
    let mut up = stage::start("up", Program::Lychgate, &settings);
    up.ready().await;
    let address = up.address("listen").await;
    let original = signed("/webhooks/systemio", "SALE_NEW", "m1", &sale());
    let headers: Value =
        original.headers.iter().map(|(name, value)| (name.clone(), json!(String::from_utf8_lossy(value)))).collect();
    let trial = |headers: &Value| {
        let body = json!({"source": "systemeio", "headers": headers, "body": String::from_utf8_lossy(&original.body)});
        Request::post("/webhooks/test-simulation", body.to_string())
    };
    assert_eq!(trial(&headers).send(address).await.unwrap().status, 401);
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(trial(&headers).header("Authorization", bearer("guess")).send(address).await.unwrap().status, 401);
    let tried = trial(&headers).header("Authorization", bearer(OPERATOR)).send(address).await.unwrap().json();
    assert_eq!(
        (&tried["outcome"], &tried["verification"]["result"]),
        (&json!("accepted"), &json!("verified")),
        "{tried}"
    );
    let rehearsal = &tried["events"][0]["rehearsal"];
    assert_eq!(rehearsal["outcome"], "succeeded", "{tried}");
    let tables: Vec<_> =
        rehearsal["changes"].as_array().unwrap().iter().map(|change| change["table"].clone()).collect();
    assert!(tables.contains(&json!("payments")) && tables.contains(&json!("user_profiles")), "{tables:?}");
    let mut forged = headers.clone();
    forged["X-Webhook-Signature"] = json!("00");
    let refused = trial(&forged).header("Authorization", bearer(OPERATOR)).send(address).await.unwrap().json();
    assert_eq!((&refused["outcome"], &refused["answer"]["status"]), (&json!("refused"), &json!(401)), "{refused}");
    let all = "select (select count(*) from event) + (select count(*) from delivery_log) + (select count(*) from user_profiles)
        + (select count(*) from email_queue)";
    assert_eq!(database.count(all).await, 0);
}

#[tokio::test]
async fn a_gateway_without_handlers_says_that_it_cannot_simulate() {
    let stage = Stage::set_with(QueueKind::Store, &sources("")).await;
    let trial = Request::post("/webhooks/test-simulation", json!({"source": "systemeio", "body": {}}).to_string());
    let answer = stage.send(&trial.header("Authorization", format!("Bearer {OPERATOR}"))).await;
    assert_eq!(answer.status, 501);
    assert!(answer.detail().contains("lychgate up"), "{answer:?}");
}

#[tokio::test]
async fn an_auth_user_is_made_at_supabase_and_an_address_that_is_taken_is_success() {
    let id = "8655d76b-9be0-4681-bd2c-35cd5e09a809";
    let supabase = Receiver::start(move |asked| match String::from_utf8_lossy(&asked.body).contains("jane") {
        true => Answer::json(200, &json!({ "id": id, "email": "jane@example.com" })),
        false => Answer::json(422, &json!({ "code": 422, "error_code": "email_exists", "msg": "already registered" })),
    })
    .await;
    let more = format!(
        "[supabase]\nurl = {:?}\nservice_key = \"service-key\"\nallow_private = true\ntimeout = \"2s\"",
        supabase.url()
    );
    let stage = Stage::set_with(QueueKind::Store, &sources(&more)).await;
    for (nth, email) in ["jane@example.com", "john@example.com", "jane@example.com"].iter().enumerate() {
        let body = json!({"contact": {"id": nth, "email": email, "tags": []}});
        let sent = stage.send(&signed("/webhooks/systemio", "CONTACT_CREATED", &format!("m{nth}"), &body)).await;
        stage.becomes(sent.event_id(), "succeeded").await;
    }
    let users = "select concat_ws(' ', email, provider, provider_id) from auth_users order by 1";
    assert_eq!(
        stage.database.column(users).await,
        [format!("jane@example.com supabase {id}"), "john@example.com supabase".to_owned()]
    );
    let asked = supabase.seen();
    assert_eq!(asked.len(), 2, "somebody who is there is not made again");
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/auth/v1/admin/users"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer service-key"));
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!((&body["email"], &body["email_confirm"]), (&json!("jane@example.com"), &json!(true)));
}
