//! What a Saleor shop signs, with the library that Saleor uses, and with `jose`: the body is the token's payload.

use lychgate_tests::{
    http::Request,
    receiver::{Answer, Receiver},
    sender::{now, now_text},
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::{Draft, Sdk, Sent},
};

fn order(id: &str) -> String {
    format!(r#"{{"issuedAt":"{}","order":{{"id":"T3JkZXI6MQ==","note":"é ☃ {id}"}}}}"#, now_text())
}

fn post(sent: &Sent, body: &str) -> Request {
    let request = Request::post("/webhooks/saleor", body);
    sent.headers.iter().fold(request, |request, (name, value)| request.replacing(name, value.as_bytes()))
}

async fn a_shop_s_events_are_accepted_and_nobody_else_s(sdk: &Sdk) {
    let set = sdk.published("saleor");
    let shop = Receiver::start(move |asked| match asked.path.as_str() {
        "/.well-known/jwks.json" => Answer { body: set.clone().into(), ..Answer::status(200) },
        _ => Answer::status(404),
    })
    .await;
    let source = format!(
        "[[source]]\nname = \"shop\"\npreset = \"saleor\"\n\
         jwt = {{ jwks = \"{}/.well-known/jwks.json\", jwks_loopback = true }}\n",
        shop.url()
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let id = unique();
    let body = order(&id);
    let draft = Draft { secret: "", id: "", time: now(), url: "", body: &body };
    let sent = sdk.send("saleor", &draft);

    let flipped = body.replace(&id, &unique());
    assert_eq!(stage.send(&post(&sent, &flipped)).await.status, 401);
    let unsigned = post(&sent, &body).without("saleor-signature");
    assert_eq!(stage.send(&unsigned).await.status, 401);
    let accepted = stage.send(&post(&sent, &body)).await;
    assert_eq!(accepted.status, 200, "{}", accepted.detail());
    let stored = format!("select convert_from(body, 'UTF8') from event where id = '{}'", accepted.event_id());
    assert_eq!(stage.database.column(&stored).await, std::slice::from_ref(&body), "byte for byte");
    let again = stage.send(&post(&sent, &body)).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    // The type is not signed: as another one, it is the same event all the same.
    let renamed = post(&sent, &body).replacing("saleor-event", "order_refunded");
    assert_eq!(stage.send(&renamed).await.header("idempotent-replayed"), Some("true"));
    let kind = "select count(*) from event where kind = 'order_created'";
    assert_eq!(stage.database.count(kind).await, 1);
    assert_eq!(shop.seen().len(), 1, "the key is fetched once");
}

#[tokio::test]
async fn what_saleor_s_own_library_signs_is_accepted() {
    a_shop_s_events_are_accepted_and_nobody_else_s(&Sdk::python()).await;
}

#[tokio::test]
async fn what_jose_signs_for_a_shop_is_accepted_and_a_stranger_s_is_not() {
    let sdk = Sdk::node();
    a_shop_s_events_are_accepted_and_nobody_else_s(&sdk).await;
    let source =
        format!("[[source]]\nname = \"shop\"\npreset = \"saleor\"\njwt = {{ jwks = '{}' }}\n", sdk.published("saleor"));
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let body = order(&unique());
    let draft = Draft { secret: "", id: "", time: now(), url: "", body: &body };
    let stranger = sdk.send("saleor-stranger", &draft);
    assert_eq!(stage.send(&post(&stranger, &body)).await.status, 401);
    assert_eq!(stage.send(&post(&sdk.send("saleor", &draft), &body)).await.status, 200);
}
