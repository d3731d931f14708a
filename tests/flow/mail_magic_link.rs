//! The welcome mail of IBAM: its token lets in, is the same whenever the mail is sent, and stands nowhere in the database,
//! neither while the mail waits nor after it was sent.

use lychgate_tests::{Database, SmtpServer, http::Request, stage, stage::Stage};
use serde_json::json;

use crate::{
    ibam_webhooks::{sale, signed, sources},
    mail_delivery::{Post, mail_settings, trusting},
    rows::migrated,
};

/// The places of a database in which a text stands, as it is or within bytes.
async fn places(database: &Database, text: &str) -> Vec<String> {
    let client = database.connect().await;
    let tables = "select c.oid::regclass::text from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace";
    let mut found = Vec::new();
    for table in database.column(tables).await {
        let (plain, bytes) = (format!("%{text}%"), format!("%{}%", hex::encode(text)));
        let count = format!("select count(*) from {table} t where t::text like $1 or t::text like $2");
        let count: i64 = client.query_one(&count, &[&plain, &bytes]).await.unwrap().get(0);
        if count > 0 {
            found.push(table);
        }
    }
    found
}

/// A stage without a way to send, where somebody has bought a course.
async fn sold() -> Stage {
    let database = Database::fresh().await;
    let settings = stage::settings(database.url(), None).with(&sources("")).with_sources();
    let stage = Stage::with_settings(database, settings).await;
    let told = stage.send(&signed("/webhooks/systemio", "SALE_NEW", "m1", &sale())).await;
    stage.becomes(told.event_id(), "succeeded").await;
    stage
}

/// The same stage with a way to send.
async fn with_post(stage: Stage, hold: bool) -> Post {
    let server = SmtpServer::start();
    server.hold(hold);
    let settings = trusting(stage.settings.clone().with(&mail_settings(&server, "")), &server);
    let worker = stage::worker(&settings);
    Post { stage: Stage { worker, settings, ..stage }, server }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_waits_without_its_token_and_is_sent_with_it_once_mails_can_be_sent() {
    let stage = sold().await;
    let waits = "select concat_ws(' ', status, template, magic_link, data) from email_queue";
    let expected = r#"pending welcome https://ibam.example.org/enter {"name": "Jane"}"#;
    assert_eq!(stage.database.column(waits).await, [expected]);

    let post = with_post(stage, false).await;
    let mail = post.taken(1).await.remove(0);
    post.row_says("sent 1").await;
    let text = mail["text"].as_str().unwrap().to_owned();
    let token = text.split("/enter?token=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    assert_eq!(token.len(), 43, "{text}");
    assert!(text.contains("Welcome, Jane!") && text.contains(" UTC."), "{text}");
    let database = &post.stage.database;
    assert_eq!(places(database, token).await, Vec::<String>::new(), "the token is nowhere");
    assert_eq!(places(database, "ibam.example.org").await, ["email_queue"], "what is looked for would be found");
    for log in [post.stage.gateway.output(), post.stage.worker.output()] {
        assert!(!log.contains(token), "a token was logged");
    }
    let enter = Request::post("/auth/magic", json!({ "token": token }).to_string());
    let let_in = post.stage.send(&enter).await;
    assert_eq!((let_in.status, &let_in.json()["user"]["email"]), (200, &json!("jane@example.com")), "{let_in:?}");
    assert_eq!(post.stage.send(&enter).await.status, 401, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_that_is_sent_again_brings_the_same_link() {
    let mut post = with_post(sold().await, true).await;
    post.taken(1).await;
    let next = stage::worker(&post.stage.settings);
    std::mem::replace(&mut post.stage.worker, next).kill9();
    post.server.hold(false);
    post.row_says("sent 1").await;
    let mails = post.taken(2).await;
    assert_eq!(mails[0]["text"], mails[1]["text"]);
    assert_eq!(mails[0]["headers"]["message-id"], mails[1]["headers"]["message-id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_whose_token_an_operator_has_replaced_is_not_sent_and_says_why() {
    let stage = sold().await;
    let issued = stage.lychgate(&["magic-token", "issue", "--email", "jane@example.com", "--json"]);
    assert_eq!(issued.code, 0, "{issued:?}");
    let post = with_post(stage, false).await;
    post.row_says("failed 1 a newer token has taken its token's place").await;
    assert_eq!(
        post.stage.database.column("select status::text from event_state where source = 'mail'").await,
        ["ignored"]
    );
    assert!(post.server.mails().is_empty());
}

#[tokio::test]
async fn tokens_that_an_older_build_has_queued_are_taken_out_and_their_mails_still_bring_one() {
    let (store, database) = migrated().await;
    let client = database.connect().await;
    let before = "drop trigger email_queued on email_queue; drop function email_queued();
        drop index email_queue_pending, email_queue_created;
        alter table email_queue drop column magic_link, drop column job_id, drop column sent_at, drop column versions;
        alter table email_template drop column html;
        create index email_queue_due on email_queue (next_attempt_at) where status in ('pending', 'sending')";
    client.batch_execute(before).await.unwrap();
    let rows = r#"insert into user_profiles (email, magic_token, magic_token_expires_at) values
            ('jane@example.com', 'hash', now() + interval '1 day');
        insert into email_queue (dedupe_key, template, recipient, data) values ('welcome/ibam/jane@example.com', 'welcome',
            'jane@example.com', '{"name": "Jane", "link": "https://ibam.example/in?lang=en&token=PLAIN", "expires_at": "x"}');
        insert into email_queue (template, recipient, data) values ('password_reset', 'john@example.com', '{"link": "theirs"}')"#;
    client.batch_execute(rows).await.unwrap();
    client.batch_execute(include_str!("../../common/migrations/V13__mail.sql")).await.unwrap();
    assert_eq!(places(&database, "PLAIN").await, Vec::<String>::new());
    let found = "select concat_ws(' ', recipient, magic_link, data) from email_queue order by 1";
    let expected = [
        r#"jane@example.com https://ibam.example/in?lang=en {"name": "Jane"}"#,
        r#"john@example.com {"link": "theirs"}"#,
    ];
    assert_eq!(database.column(found).await, expected);
    // Its old token is nobody's: sending the mail gives it another.
    let known = store.magic_token_of("jane@example.com").await.unwrap().unwrap();
    assert!(known.expires_at.unwrap() <= store.clock().now(), "{known:?}");
}
