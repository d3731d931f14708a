//! An event is durable before it is answered, processed exactly once, and its repetition gets the same answer.

use std::sync::Arc;

use lychgate_tests::{
    http::{Connection, Request, many_sockets},
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, QueueKind, Stage},
};
use tokio::{sync::Barrier, task::JoinSet};

async fn an_event_is_accepted_and_processed(kind: QueueKind) {
    let stage = Stage::set(kind).await;
    let request = platform(PLATFORM, platform_user_created("webhook_001", "user_789"));

    let first = stage.send(&request).await;
    assert!(first.is_success(), "{first:?}");
    let id = first.event_id();
    assert_eq!(first.header("location"), Some(format!("/events/{id}").as_str()));
    let stored = "select count(*) from event where source = 'platform' and key = 'webhook_001'";
    assert_eq!(stage.database.count(stored).await, 1, "the row is there when the answer is");

    stage.becomes(id, "succeeded").await;
    let user = "select name from platform_user where source = 'platform' and id = 'user_789'";
    assert_eq!(stage.database.column(user).await, ["User user_789"]);

    let again = stage.send(&request).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.event_id(), id);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(stage.database.count(stored).await, 1);

    let other = stage.send(&platform(PLATFORM, platform_user_created("webhook_001", "user_790"))).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert!(other.detail().contains(&id.to_string()), "names the event that it conflicts with: {other:?}");
    let conflicts = "select count(*) from delivery_log where outcome = 'conflict' and key = 'webhook_001'";
    lychgate_tests::eventually("the conflict can be found", async || match stage.database.count(conflicts).await {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(stage.database.count("select count(*) from event").await, 1);
}

#[tokio::test]
async fn an_event_is_accepted_and_processed_over_the_store() {
    an_event_is_accepted_and_processed(QueueKind::Store).await;
}

#[tokio::test]
async fn an_event_is_accepted_and_processed_over_rabbitmq() {
    an_event_is_accepted_and_processed(QueueKind::Broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_simultaneous_requests_with_one_key_are_one_event_and_a_thousand_equal_answers() {
    many_sockets();
    let stage = Stage::set(QueueKind::Store).await;
    let request = Arc::new(platform(PLATFORM, platform_user_created("webhook_storm", "user_storm")));
    let start = Arc::new(Barrier::new(1000));
    let mut senders = JoinSet::new();
    for _ in 0..1000 {
        let (request, start, to) = (Arc::clone(&request), Arc::clone(&start), stage.address);
        senders.spawn(async move {
            let mut connection = Connection::open(to).await.unwrap();
            start.wait().await;
            connection.send(&request).await.unwrap()
        });
    }
    let answers = senders.join_all().await;
    assert!(answers[0].is_success(), "{:?}", answers[0]);
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (answers[0].status, &answers[0].body), "{answer:?}");
        assert_eq!(answer.event_id(), answers[0].event_id());
    }
    let originals = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(originals, 1, "one is the original, the others say that they are not");
    assert_eq!(stage.database.count("select count(*) from event").await, 1);
    stage.becomes(answers[0].event_id(), "succeeded").await;
}

#[tokio::test]
async fn the_sender_can_ask_what_became_of_its_event_and_others_cannot() {
    let stage = Stage::set(QueueKind::Store).await;
    let accepted = stage.send(&platform(PLATFORM, platform_user_created("webhook_asked", "user_asked"))).await;
    stage.becomes(accepted.event_id(), "succeeded").await;
    let path = accepted.header("location").unwrap().to_owned();

    let ask = |secret: &str| {
        let mut request = platform(secret, Vec::new());
        request.method = "GET".into();
        request.path.clone_from(&path);
        request.without("content-type")
    };
    let receipt = stage.send(&ask(PLATFORM)).await;
    assert_eq!(receipt.status, 200, "{receipt:?}");
    assert_eq!(receipt.json()["status"], "succeeded");
    let stranger = stage.send(&ask("another secret entirely")).await;
    assert_eq!(stranger.status, 401, "{stranger:?}");
}

#[tokio::test]
async fn whoever_guesses_at_receipts_is_held_to_the_limits_of_those_who_send() {
    let limit = r#"refused_rate = { requests = 3, per = "1m", burst = 3, on_limit = "reject" }"#;
    let stage = Stage::set_with(QueueKind::Store, &QUICK.replace("refused_rate = \"off\"", limit)).await;
    let accepted = stage.send(&platform(PLATFORM, platform_user_created("webhook_guessed", "user_guessed"))).await;
    let mut guess = platform("another secret entirely", Vec::new()).without("content-type");
    (guess.method, guess.path) = ("GET".to_owned(), accepted.header("location").unwrap().to_owned());
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(stage.send(&guess).await.status);
    }
    assert_eq!((&statuses[..3], statuses[5]), (&[401; 3][..], 429), "{statuses:?}");
}

#[tokio::test]
async fn a_receipt_is_shown_to_no_address_that_the_source_does_not_allow() {
    let (secret, near) = ("an-allow-listed-secret-012345", "X-Forwarded-For");
    let source = format!(
        "trusted_proxies = [\"127.0.0.0/8\"]\n[[source]]\nname = \"near\"\npreset = \"generic\"\npath = \"/in/near\"\n\
         secrets = [{secret:?}]\nallow = [\"192.0.2.0/24\"]\n"
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let signed = |body: &str| {
        let signature = lychgate_tests::sender::hex_sha256(secret.as_bytes(), body.as_bytes());
        Request::post("/in/near", body).header("X-Webhook-Signature", signature)
    };
    let accepted = stage.send(&signed("{}").header(near, "192.0.2.7")).await;
    assert!(accepted.is_success(), "{accepted:?}");
    let mut ask = signed("").without("content-type");
    (ask.method, ask.path) = ("GET".to_owned(), accepted.header("location").unwrap().to_owned());
    let told = stage.send(&ask.clone().header(near, "192.0.2.8")).await;
    assert_eq!(told.status, 200, "{told:?}");
    let told = stage.send(&ask.header(near, "198.51.100.1")).await;
    assert_eq!(told.status, 404, "{told:?}");
}

#[tokio::test]
async fn a_sender_that_prefers_to_wait_is_told_the_outcome() {
    for kind in [QueueKind::Store, QueueKind::Broker] {
        let stage = Stage::set(kind).await;
        let request = platform(PLATFORM, platform_user_created("webhook_waits", "user_waits"));
        let answer = stage.send(&request.header("Prefer", "wait=20")).await;
        assert!(answer.is_success(), "{answer:?}");
        assert_eq!(answer.json()["status"], "succeeded", "{kind:?}: {answer:?}");
    }
}

async fn a_repetition_gets_the_original_answer_whatever_it_prefers(kind: QueueKind) {
    let stage = Stage::set(kind).await;
    for (key, prefers, said) in [("waits", true, "succeeded"), ("does-not", false, "accepted")] {
        let plain = platform(PLATFORM, platform_user_created(key, "user_prefers"));
        let waiting = plain.clone().header("Prefer", "wait=20");
        let (same, other) = if prefers { (&waiting, &plain) } else { (&plain, &waiting) };
        let first = stage.send(same).await;
        assert_eq!((first.status, first.json()["status"].as_str()), (200, Some(said)), "{first:?}");
        stage.becomes(first.event_id(), "succeeded").await;
        for again in [other, same, other] {
            let again = stage.send(again).await;
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{kind:?}, {key}: {again:?}");
            assert_eq!((again.header("idempotent-replayed"), again.event_id()), (Some("true"), first.event_id()));
        }
    }
}

#[tokio::test]
async fn a_repetition_gets_the_original_answer_whatever_it_prefers_over_the_store() {
    a_repetition_gets_the_original_answer_whatever_it_prefers(QueueKind::Store).await;
}

#[tokio::test]
async fn a_repetition_gets_the_original_answer_whatever_it_prefers_over_rabbitmq() {
    a_repetition_gets_the_original_answer_whatever_it_prefers(QueueKind::Broker).await;
}
