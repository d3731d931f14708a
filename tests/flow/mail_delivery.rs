//! Mails leave the house by SMTP, through the real binaries: once where all goes well, at least once where a worker dies,
//! later where the server says so, and never without a reason that an operator can read.

use lychgate_tests::{
    Broker, Database, SmtpServer, eventually,
    http::Request,
    sender::{now, stripe, stripe_body},
    settings::{Settings, secrets::STRIPE},
    smtp_server::{PASSWORD, USER},
    stage::{self, QUICK, QueueKind, Stage},
};
use serde_json::{Value, json};

/// A stage that sends through a server.
pub(crate) struct Post {
    pub(crate) stage: Stage,
    pub(crate) server: SmtpServer,
}

/// `[mail]` for a server of the tests.
pub(crate) fn mail_settings(server: &SmtpServer, more: &str) -> String {
    format!(
        "[mail]\nby = \"smtp\"\nfrom = \"Acme Textiles <orders@acme.example>\"\nsmtp_host = \"localhost\"\nsmtp_port = {}\n\
         smtp_user = {USER:?}\nsmtp_password = {PASSWORD:?}\ntimeout = \"2500ms\"\nbreaker_failures = 1000\n{more}",
        server.port(),
    )
}

impl Post {
    pub(crate) async fn set(kind: QueueKind, more: &str) -> Self {
        let server = SmtpServer::start();
        let broker = match kind {
            QueueKind::Broker => Some(Broker::fresh().await),
            QueueKind::Store => None,
        };
        let database = Database::fresh().await;
        let settings = stage::settings(database.url(), broker.as_ref().map(Broker::url).as_deref())
            .with(QUICK)
            .with(&mail_settings(&server, more))
            .with_sources();
        let stage = Stage::with_settings(database, trusting(settings, &server)).await;
        Self { stage: Stage { broker, ..stage }, server }
    }

    /// Waits until the server has taken so many.
    pub(crate) async fn taken(&self, count: usize) -> Vec<Value> {
        eventually(&format!("the server has taken {count} mails"), async || {
            let mails = self.server.mails();
            if mails.len() >= count { Ok(mails) } else { Err(format!("{mails:?}")) }
        })
        .await
    }

    /// Waits until there is one row in `email_queue` and it says this.
    pub(crate) async fn row_says(&self, expected: &str) {
        let row = "select concat_ws(' ', status, attempts, last_error) from email_queue";
        eventually(&format!("the mail is {expected}"), async || {
            match self.stage.database.column(row).await.as_slice() {
                [one] if one == expected => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Queues a mail as another application does.
    pub(crate) async fn queue(&self, template: &str, data: &Value) {
        let insert = "insert into email_queue (template, recipient, data) values ($1, 'jane@example.com', $2)";
        self.stage.database.connect().await.execute(insert, &[&template, &data]).await.unwrap();
    }

    pub(crate) async fn event(&self) -> String {
        self.stage.database.column("select job_id::text from email_queue").await.remove(0)
    }
}

/// The server's certificate is from an authority of its own.
pub(crate) fn trusting(settings: Settings, server: &SmtpServer) -> Settings {
    settings.with_variable("SSL_CERT_FILE", server.authority().to_str().unwrap())
}

fn quote() -> Value {
    json!({"name": "Jane", "quote_id": "Q-7"})
}

on_both!(
    a_payments_confirmation_arrives_once_with_the_right_words,
    a_row_of_another_application_is_sent_at_once,
    a_worker_that_dies_while_it_sends_loses_no_mail,
    a_mended_template_sends_what_died_of_it,
);

async fn a_payments_confirmation_arrives_once_with_the_right_words(kind: QueueKind) {
    let mut post = Post::set(kind, "reply_to = \"help@acme.example\"").await;
    let object = json!({"id": "pi_1", "object": "payment_intent", "amount": 2000, "amount_received": 2000, "currency": "usd",
        "customer": "cus_1", "created": now(), "status": "succeeded", "latest_charge": "ch_1",
        "receipt_email": "jane@example.com", "metadata": {"order_id": "order_1"}, "last_payment_error": null});
    let send = async |id: &str| {
        let body = stripe_body(id, "payment_intent.succeeded", &object);
        let reply = post.stage.send(&stripe(STRIPE, now(), body)).await;
        post.stage.becomes(reply.event_id(), "succeeded").await;
    };
    send("evt_1").await;
    let mail = post.taken(1).await.remove(0);
    // Stripe tells again of the same payment, under another event.
    send("evt_2").await;
    post.row_says("sent 1").await;

    let expected = json!({"from": "orders@acme.example", "to": ["jane@example.com"], "encrypted": true, "user": USER,
        "html": null, "text": "Thank you for your order.\n\nWe have received your payment of 20.00 USD for order order_1, and \
        production can begin."});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&mail[name], value, "{name}");
    }
    let id = post.stage.database.column("select id::text from email_queue").await.remove(0);
    for (name, value) in [
        ("subject", "Your order order_1 is confirmed"),
        ("from", "Acme Textiles <orders@acme.example>"),
        ("to", "jane@example.com"),
        ("reply-to", "help@acme.example"),
        ("auto-submitted", "auto-generated"),
        ("message-id", &format!("<{id}@acme.example>")),
    ] {
        assert_eq!(mail["headers"][name], value, "{name}");
    }
    let data = "select data::text from email_queue where sent_at is not null";
    assert_eq!(post.stage.database.column(data).await, ["{}"], "what it said is with its reader");
    let ledger =
        "select concat_ws(' ', e.kind, e.subject, s.status, a.outcome) from event e join event_state s using (id)
        join attempt a on a.event_id = e.id where e.source = 'mail'";
    assert_eq!(post.stage.database.column(ledger).await, ["order_confirmation jane@example.com succeeded succeeded"]);
    let body = "select convert_from(body, 'UTF8') from event where source = 'mail'";
    assert_eq!(post.stage.database.column(body).await, [format!("{{\"mail\":\"{id}\"}}")]);
    let labels = [("source", "mail"), ("type", "order_confirmation"), ("outcome", "succeeded")];
    assert_eq!(post.stage.worker.metric("lychgate_settled_total", &labels).await, 1.0);
    assert_eq!(post.server.mails().len(), 1, "once");
}

async fn a_row_of_another_application_is_sent_at_once(kind: QueueKind) {
    // Nobody looks for an hour: the database tells.
    let post = Post::set(kind, "poll = \"1h\"").await;
    let html = post.stage.gateway.directory().path().join("quote.html");
    std::fs::write(&html, "<p>Thank you, {{name}}.</p>").unwrap();
    let set = post.stage.lychgate(&[
        "mail",
        "templates",
        "set",
        "quote_submission",
        "--subject",
        "For {{name}}",
        "--html",
        html.to_str().unwrap(),
    ]);
    assert_eq!(set.code, 0, "{set:?}");
    post.queue("quote_submission", &json!({"name": "<b>Jane</b>\r\nBcc: eve@example.com", "quote_id": 7})).await;
    let mail = post.taken(1).await.remove(0);
    assert_eq!(mail["headers"]["subject"], "For <b>Jane</b> Bcc: eve@example.com");
    assert_eq!((&mail["to"], &mail["headers"]["bcc"]), (&json!(["jane@example.com"]), &Value::Null));
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("Thank you, &lt;b&gt;Jane&lt;&#x2f;b&gt;"), "{html}");
    assert!(mail["text"].as_str().unwrap().contains("Your request 7 has reached us"), "{mail}");
    post.row_says("sent 1").await;

    let shown = post.stage.lychgate(&["mail", "list", "--status", "sent", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{shown:?}"));
    assert_eq!((&shown["template"], &shown["recipient"]), (&json!("quote_submission"), &json!("jane@example.com")));
    let one = post.stage.lychgate(&["mail", "show", shown["id"].as_str().unwrap()]);
    assert!(one.code == 0 && one.out.contains("queued by   another application"), "{one:?}");
    let audited = "select detail->'before'->>'subject' from audit where action = 'mail.template'";
    let before = "We have received your request for a quote";
    assert_eq!(post.stage.database.column(audited).await, [before]);
}

async fn a_worker_that_dies_while_it_sends_loses_no_mail(kind: QueueKind) {
    let mut post = Post::set(kind, "").await;
    post.server.hold(true);
    post.queue("quote_submission", &quote()).await;
    // The server has it, and has not said so: whoever dies now cannot know.
    post.taken(1).await;
    let next = stage::worker(&post.stage.settings);
    std::mem::replace(&mut post.stage.worker, next).kill9();
    post.server.hold(false);
    post.row_says("sent 1").await;
    let mails = post.taken(2).await;
    let ids: std::collections::BTreeSet<_> =
        mails.iter().map(|mail| mail["headers"]["message-id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "whoever reads it can tell that it is the same: {ids:?}");
    assert_eq!(mails[0]["headers"]["date"], mails[1]["headers"]["date"]);
    assert_eq!(mails[0]["text"], mails[1]["text"]);
}

async fn a_mended_template_sends_what_died_of_it(kind: QueueKind) {
    let post = Post::set(kind, "").await;
    post.queue("quote_submission", &json!({"name": "Jane"})).await;
    let words = "the template `quote_submission` wants the variable quote_id, which the mail's data has not";
    post.row_says(&format!("failed 1 {words}")).await;
    let event = post.event().await;
    assert_eq!(post.stage.database.column("select message from dead_letter where source = 'mail'").await, [words]);
    let rehearsed = post.stage.lychgate(&["dead-letters", "rehearse", &event, "--json"]);
    assert!(rehearsed.out.contains("mail_variable_missing"), "{rehearsed:?}");

    let text = post.stage.gateway.directory().path().join("quote.txt");
    let set = |words: &str| {
        std::fs::write(&text, words).unwrap();
        post.stage.lychgate(&["mail", "templates", "set", "quote_submission", "--text", text.to_str().unwrap()])
    };
    let wrong = set("Thank you, {{name");
    assert_eq!((wrong.code, wrong.err.contains("the template's text cannot be read")), (2, true), "{wrong:?}");
    assert_eq!(set("Thank you, {{name}}.\n").code, 0);
    let rehearsed = post.stage.lychgate(&["dead-letters", "rehearse", &event, "--json"]);
    let rehearsed: Value = serde_json::from_str(&rehearsed.out).unwrap_or_else(|_| panic!("{rehearsed:?}"));
    assert_eq!(rehearsed["reply"]["text"], "Thank you, Jane.", "{rehearsed}");
    assert_eq!(rehearsed["reply"]["would_be_sent_to"], "jane@example.com");
    assert!(post.server.mails().is_empty(), "a rehearsal sends nothing");

    let replayed = post.stage.lychgate(&["dead-letters", "replay", "--id", &event, "--reason", "mended", "--yes"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    post.row_says("sent 2").await;
    assert_eq!(post.taken(1).await[0]["text"], "Thank you, Jane.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_put_off_climbs_and_one_that_is_refused_is_a_dead_letter_with_the_servers_words() {
    let post = Post::set(QueueKind::Store, "").await;
    post.server.refuse(&["451 4.7.1 Greylisted", "421 4.3.2 Closing", "550 5.7.1 Not wanted here"]);
    post.queue("quote_submission", &quote()).await;
    post.row_says("failed 3 the mail server refused the mail for good (550)").await;
    let tried = "select concat_ws(' ', outcome, class, error->>'message') from attempt order by attempt";
    assert_eq!(
        post.stage.database.column(tried).await,
        [
            "temporary mail_put_off the mail server put the mail off (451)",
            "temporary mail_server_closing the mail server takes no mails now",
            "permanent mail_refused the mail server refused the mail for good (550)",
        ]
    );
    let shown = post.stage.lychgate(&["dead-letters", "show", &post.event().await]);
    assert!(shown.out.contains("Not wanted here"), "{shown:?}");
    assert!(post.server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_encrypt_gets_neither_password_nor_mail() {
    let server = SmtpServer::start_plain();
    let database = Database::fresh().await;
    let settings = stage::settings(database.url(), None).with(QUICK).with(&mail_settings(&server, "")).with_sources();
    let stage = Stage::with_settings(database, settings).await;
    let tried = stage.lychgate(&["mail", "send-test", "--to", "jane@example.com"]);
    assert_eq!((tried.code, tried.err.contains("does not let us encrypt")), (1, true), "{tried:?}");
    assert!(server.mails().is_empty());

    let good = SmtpServer::start();
    let settings = trusting(stage.settings.clone(), &good);
    let port = [("LYCHGATE_MAIL__SMTP_PORT", good.port().to_string())];
    let settings = port.iter().fold(settings, |settings, (name, value)| settings.with_variable(name, value));
    let sent = Stage { settings, ..stage };
    let tried = sent.lychgate(&["mail", "send-test", "--to", "jane@example.com"]);
    assert_eq!((tried.code, good.mails().len()), (0, 1), "{tried:?}");
    let nobody = sent.lychgate(&["mail", "send-test", "--to", "jane"]);
    assert_eq!((nobody.code, nobody.err.contains("`jane` is not one e-mail address")), (2, true), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_to_send_mails_wait_and_the_worker_says_so() {
    let mut stage = Stage::set(QueueKind::Store).await;
    let insert =
        "insert into email_queue (template, recipient, data) values ('quote_submission', 'jane@example.com', $1)";
    stage.database.connect().await.execute(insert, &[&quote()]).await.unwrap();
    let ops = stage.worker.address("ops").await;
    eventually("the worker is degraded", async || {
        let ready = Request::get("/readyz").send(ops).await.map_err(|error| error.to_string())?.json();
        let mail = &ready["checks"]["mail"];
        let reason = mail["reason"].as_str().unwrap_or_default();
        let said = ready["status"] == "degraded" && reason.starts_with("1 mails wait: set mail.by");
        if said { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    eventually("the metrics say so", async || {
        let pending = stage.worker.metric("lychgate_mails_pending", &[]).await;
        if pending == 1.0 { Ok(()) } else { Err(format!("{pending} pending")) }
    })
    .await;
    assert_eq!(stage.worker.metric("lychgate_mail_configured", &[]).await, 0.0);
    assert!(stage.worker.output().contains("mails are not sent and wait"), "{}", stage.worker.output());
    assert_eq!(stage.database.column("select status from email_queue").await, ["pending"]);
    assert_eq!(stage.database.count("select count(*) from event").await, 0);
}
