//! Adyen's own library signs the items of a notification, each by itself; every one becomes an event.

use lychgate_tests::{
    http::Request,
    sender::now,
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::{Draft, Sdk},
};

pub(super) const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

fn notification(references: &[&str]) -> String {
    let item = |reference: &&str| {
        format!(
            r#"{{"NotificationRequestItem":{{"pspReference":"{reference}","merchantAccountCode":"TestMerchant","merchantReference":"order:7","amount":{{"value":1130,"currency":"EUR"}},"eventCode":"AUTHORISATION","eventDate":"2026-01-01T00:00:00+01:00","success":"true"}}}}"#
        )
    };
    let items: Vec<String> = references.iter().map(item).collect();
    format!(r#"{{"live":"false","notificationItems":[{}]}}"#, items.join(","))
}

#[tokio::test]
async fn what_adyen_s_library_signs_is_accepted_item_by_item_and_a_changed_item_is_not() {
    let settings = format!("{QUICK}[[source]]\nname = \"adyen\"\npreset = \"adyen\"\nsecrets = [{KEY:?}]\n");
    let stage = Stage::set_with(QueueKind::Store, &settings).await;
    let sdk = Sdk::node();
    let references = [unique(), unique()];
    let body = notification(&[&references[0], &references[1]]);
    let draft = Draft { secret: KEY, id: "", time: now(), url: "", body: &body };
    let sent = sdk.send("adyen", &draft);

    let changed = sent.body.replacen("\"value\":1130", "\"value\":1131", 1);
    assert_ne!(changed, sent.body);
    assert_eq!(stage.send(&Request::post("/webhooks/adyen", changed)).await.status, 401);
    let second = sent.body.replace(&references[1], &unique());
    assert_eq!(stage.send(&Request::post("/webhooks/adyen", second)).await.status, 401, "the second item counts, too");
    let stranger = sdk.send("adyen", &Draft { secret: "00ff", ..draft });
    assert_eq!(stage.send(&Request::post("/webhooks/adyen", stranger.body)).await.status, 401);
    assert_eq!(stage.database.count("select count(*) from event").await, 0);

    let accepted = stage.send(&Request::post("/webhooks/adyen", sent.body.as_str())).await;
    assert_eq!((accepted.status, &accepted.body[..]), (200, &b"[accepted]"[..]));
    let kept = "select count(*) from event where kind = 'AUTHORISATION' and tenant = 'TestMerchant'";
    assert_eq!(stage.database.count(kept).await, 2);
    let again = stage.send(&Request::post("/webhooks/adyen", sent.body)).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}
