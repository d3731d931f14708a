//! Senders whose certificate is fetched by its address, through the real gateway: what PayPal and SNS sign is accepted,
//! once, and strangers gain nothing by pointing elsewhere.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lychgate_tests::{
    fact::eventually,
    http::Request,
    receiver::{Answer, Receiver},
    sender::{now, now_text},
    stage::{QUICK, QueueKind, Stage},
    unique,
};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::json;

/// A throw-away key, and certificates of it and of another.
const KEY: &str = include_str!("../../common/src/source/tests/jws/rsa.b64");
const GOOD: &[u8] = include_bytes!("../../common/src/source/tests/certified/good.pem");
const EXPIRED: &[u8] = include_bytes!("../../common/src/source/tests/certified/expired.pem");
const OTHER: &[u8] = include_bytes!("../../common/src/source/tests/certified/other.pem");

const WEBHOOK: &str = "8PT597110X687430LKGECATA";
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:alarms";

fn signed(text: &str) -> String {
    let pair = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(KEY.trim()).unwrap()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    BASE64_STANDARD.encode(signature)
}

/// CRC-32, bit by bit: not the product's way.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}

async fn publisher() -> Receiver {
    Receiver::start(|asked| {
        let pem = |pem: &'static [u8]| Answer { body: pem.into(), ..Answer::status(200) };
        match asked.path.split('?').next().unwrap() {
            "/good.pem" => pem(GOOD),
            "/expired.pem" => pem(EXPIRED),
            "/other.pem" => pem(OTHER),
            "/flood.pem" => Answer { body: [GOOD, &b" ".repeat(128 * 1024)].concat().into(), ..Answer::status(200) },
            "/moved.pem" => Answer::status(302).header("location", "/target.pem"),
            "/target.pem" => pem(GOOD),
            "/broken.pem" => Answer::status(500),
            "/confirm" => Answer::status(200),
            _ => Answer::status(404),
        }
    })
    .await
}

fn paypal(certificate: &str, time: &str, body: &str) -> Request {
    let id = unique();
    let signature = signed(&format!("{id}|{time}|{WEBHOOK}|{}", crc32(body.as_bytes())));
    Request::post("/webhooks/paypal", body)
        .header("PAYPAL-TRANSMISSION-ID", id)
        .header("PAYPAL-TRANSMISSION-TIME", time)
        .header("PAYPAL-AUTH-ALGO", "SHA256withRSA")
        .header("PAYPAL-CERT-URL", certificate)
        .header("PAYPAL-TRANSMISSION-SIG", signature)
}

fn capture() -> String {
    json!({"id": unique(), "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "42311647XV020574X"}})
        .to_string()
}

#[tokio::test]
async fn paypal_is_known_by_the_certificate_at_its_own_address_and_nowhere_else() {
    let publisher = publisher().await;
    let at = |path: &str| format!("{}{path}", publisher.url());
    let source = format!(
        "[[source]]\nname = \"paypal\"\npreset = \"paypal\"\nwebhook_id = {WEBHOOK:?}\ncertificate = {{ loopback = true }}\n"
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let good = at("/good.pem");
    let crowd: Vec<_> = (0..8).map(|_| paypal(&good, &now_text(), &capture())).collect();
    for reply in futures_util::future::join_all(crowd.iter().map(|request| stage.send(request))).await {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert_eq!(publisher.seen().len(), 1, "a crowd asks once");
    assert_eq!(stage.send(&crowd[0]).await.header("idempotent-replayed"), Some("true"));

    let old = jiff::Timestamp::from_second(now() - 5 * 24 * 3600).unwrap().to_string();
    let mut flipped = paypal(&good, &now_text(), &capture());
    let last = flipped.body.len() - 5;
    flipped.body[last] ^= 1;
    let refused = |certificate: &str| paypal(certificate, &now_text(), &capture());
    for (what, request, status, detail) in [
        ("a flipped body", flipped, 401, "Invalid webhook signature"),
        ("an old time", paypal(&good, &old, &capture()), 401, "too old"),
        ("no signature", refused(&good).without("PAYPAL-TRANSMISSION-SIG"), 401, "Missing webhook signature"),
        ("another key", refused(&at("/other.pem")), 401, "Invalid webhook signature"),
        ("an expired certificate", refused(&at("/expired.pem")), 401, "expired"),
        ("a redirect", refused(&at("/moved.pem")), 401, "no RSA certificate"),
        ("a flood", refused(&at("/flood.pem")), 401, "no RSA certificate"),
        ("nothing there", refused(&at("/none.pem")), 401, "no RSA certificate"),
        ("a server in trouble", refused(&at("/broken.pem")), 503, "retry shortly"),
        ("a foreign host", refused("https://evil.example.com/good.pem"), 401, "*.paypal.com"),
        ("no TLS", refused("http://api.paypal.com/good.pem"), 401, "*.paypal.com"),
    ] {
        let reply = stage.send(&request).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        assert!(reply.detail().contains(detail), "{what}: {}", reply.detail());
    }
    let asked: Vec<_> = publisher.seen().into_iter().map(|asked| asked.path).collect();
    let once = ["/good.pem", "/other.pem", "/expired.pem", "/moved.pem", "/flood.pem", "/none.pem", "/broken.pem"];
    assert_eq!(asked, once, "each address once, and no redirect is followed");
    assert_eq!(stage.database.count("select count(*) from event").await, 8);
}

/// A message of SNS, signed as its documentation says.
fn message(kind: &str, topic: &str, certificate: &str, subscribe: Option<&str>) -> Request {
    let mut body = json!({
        "Type": kind, "MessageId": unique(), "TopicArn": topic, "Message": "The disk\nis full", "Timestamp": now_text(),
        "SignatureVersion": "2", "SigningCertURL": certificate,
    });
    let mut names = vec!["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
    if let Some(subscribe) = subscribe {
        body["SubscribeURL"] = subscribe.into();
        body["Token"] = "t".into();
        names.extend(["SubscribeURL", "Token"]);
        names.sort_unstable();
    }
    let text: String = names.iter().map(|name| format!("{name}\n{}\n", body[*name].as_str().unwrap())).collect();
    body["Signature"] = signed(&text).into();
    Request::post("/webhooks/sns", body.to_string()).replacing("Content-Type", "text/plain; charset=UTF-8")
}

#[tokio::test]
async fn a_topic_of_ours_is_confirmed_and_heard_and_another_is_neither() {
    let publisher = publisher().await;
    let source = format!(
        "[[source]]\nname = \"alarms\"\npreset = \"aws-sns\"\ntopics = [{TOPIC:?}]\ncertificate = {{ loopback = true }}\n"
    );
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let good = format!("{}/good.pem", publisher.url());
    let confirm = |whose: &str| format!("{}/confirm?Action=ConfirmSubscription&Token={whose}", publisher.url());
    let stranger = TOPIC.replace("123456789012", "666666666666");
    let confirmation = "SubscriptionConfirmation";

    let foreign = stage.send(&message(confirmation, &stranger, &good, Some(&confirm("stranger")))).await;
    assert_eq!((foreign.status, foreign.detail().contains("`topics`")), (403, true), "{foreign:?}");
    let elsewhere = message(confirmation, TOPIC, &good, Some("https://evil.example.com/confirm"));
    let elsewhere = stage.send(&elsewhere).await;
    assert_eq!((elsewhere.status, elsewhere.detail().contains("/SubscribeURL")), (400, true), "{elsewhere:?}");
    let forged = message(confirmation, TOPIC, &good, Some(&confirm("forged")));
    let forged =
        Request { body: String::from_utf8(forged.body).unwrap().replace("=forged", "=forger").into(), ..forged };
    assert_eq!(stage.send(&forged).await.status, 401);

    let ours = stage.send(&message(confirmation, TOPIC, &good, Some(&confirm("ours")))).await;
    assert_eq!(ours.status, 200, "{ours:?}");
    let visited = async || {
        let seen: Vec<_> = publisher.seen().into_iter().map(|asked| asked.path).collect();
        if seen.iter().any(|path| path.starts_with("/confirm")) { Ok(seen) } else { Err(format!("{seen:?}")) }
    };
    let seen = eventually("the topic's address to be visited", visited).await;
    assert_eq!(seen, ["/good.pem", "/confirm?Action=ConfirmSubscription&Token=ours"]);

    let heard = message("Notification", TOPIC, &good, None);
    let accepted = stage.send(&heard).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(stage.send(&heard).await.header("idempotent-replayed"), Some("true"));
    assert_eq!(stage.send(&message("Notification", &stranger, &good, None)).await.status, 403);
    let ended = stage.send(&message("UnsubscribeConfirmation", TOPIC, &good, Some(&confirm("again")))).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_eq!(stage.database.column("select kind from event").await, ["Notification"]);
    assert_eq!(publisher.seen().len(), 2, "nothing else is ever visited");
}
