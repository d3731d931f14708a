//! Signatures with certificates: vectors made with other programs (openssl, zlib; SNS' were held against `sns-validator`
//! 0.3.5), and everything that must not pass. The key is the throw-away one of the tests of tokens.

use std::time::Instant;

use serde_json::Value;
use url::Url;

use super::{
    super::*,
    kit::{Asked, at},
    settings::read,
};

const GOOD: &[u8] = include_bytes!("certified/good.pem");
const EXPIRED: &[u8] = include_bytes!("certified/expired.pem");
const OTHER: &[u8] = include_bytes!("certified/other.pem");
const P256: &[u8] = include_bytes!("certified/p256.pem");
const PAYPAL: &str = include_str!("certified/paypal.b64");
const SNS: &str = include_str!("certified/sns.jsonl");
const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const CERT: &str = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42";
const BODY: &str = r#"{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"42311647XV020574X"}}"#;

fn paypal(more: &str) -> Source {
    let head = "[[source]]\nname = \"paypal\"\npreset = \"paypal\"\nwebhook_id = \"8PT597110X687430LKGECATA\"\n";
    read(&format!("{head}{more}")).unwrap().remove(0)
}

fn sns() -> Source {
    read(&format!("[[source]]\nname = \"sns\"\npreset = \"aws-sns\"\ntopics = [{TOPIC:?}]")).unwrap().remove(0)
}

fn sent(certificate: &str) -> Asked {
    let headers = [
        ("paypal-transmission-id", "69cd13f0-d67a-11e5-baa3-778b53f4ae55"),
        ("paypal-transmission-time", "2023-11-14T22:13:20Z"),
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-cert-url", certificate),
        ("paypal-transmission-sig", PAYPAL.trim()),
    ];
    Asked::new(BODY, &headers)
}

/// The nth message of SNS' vectors.
fn message(nth: usize) -> Asked {
    Asked::new(SNS.lines().nth(nth).unwrap(), &[("content-type", "text/plain; charset=UTF-8")])
}

/// As the gateway does: fetches what is due, and judges.
fn judged(source: &Source, asked: &Asked, pem: &[u8]) -> Result<Authentic, Refused> {
    if let Some((certificates, address)) = source.certificate_wanted(&asked.request()) {
        certificates.asking(&address, Instant::now());
        let _ = certificates.answered(&address, pem);
    }
    asked.authentic(source)
}

fn changed(asked: &Asked, from: &str, to: &str) -> Asked {
    let body = std::str::from_utf8(&asked.body).unwrap();
    assert!(body.contains(from), "{from}");
    Asked { body: body.replacen(from, to, 1).into(), ..asked.clone() }
}

fn is_malformed(judged: Result<Authentic, Refused>, why: &str) {
    assert!(matches!(&judged, Err(Refused::CredentialsMalformed { why: found }) if found.contains(why)), "{judged:?}");
}

#[test]
fn paypal_signs_the_checksum_of_the_body_and_our_webhook_s_id() {
    let source = paypal("");
    let authentic = judged(&source, &sent(CERT), GOOD).unwrap();
    assert!(authentic.secret.starts_with("cert:"), "{authentic:?}");
    let identity = sent(CERT).identity(&source).unwrap();
    assert_eq!((identity.key.as_deref(), &*identity.kind), (Some("WH-1"), "PAYMENT.CAPTURE.COMPLETED"));
    let tampered = changed(&sent(CERT), "WH-1", "WH-2");
    assert_eq!(tampered.authentic(&source), Err(Refused::SignatureWrong));
    for (header, other) in [
        ("paypal-transmission-id", "69cd13f0-d67a-11e5-baa3-778b53f4ae56"),
        ("paypal-transmission-time", "2023-11-14T22:13:21Z"),
    ] {
        let mut asked = sent(CERT);
        asked.headers.insert(header, other.parse().unwrap());
        assert_eq!(asked.authentic(&source), Err(Refused::SignatureWrong), "{header}");
        asked.headers.remove(header);
        is_malformed(asked.authentic(&source), "is missing");
    }
    let elsewhere = "[[source]]\nname = \"p\"\npreset = \"paypal\"\nwebhook_id = \"ANOTHER\"";
    let elsewhere = read(elsewhere).unwrap().remove(0);
    assert_eq!(judged(&elsewhere, &sent(CERT), GOOD), Err(Refused::SignatureWrong));
    assert_eq!(Asked::new(BODY, &[]).authentic(&source), Err(Refused::CredentialsMissing));
}

#[test]
fn a_transmission_may_be_as_old_as_paypal_retries_and_no_older() {
    let source = paypal("");
    let day = 24 * 3600;
    assert!(judged(&source, &sent(CERT).at(1_700_000_000 + 4 * day), GOOD).is_ok());
    let late = sent(CERT).at(1_700_000_001 + 4 * day).authentic(&source);
    assert_eq!(late, Err(Refused::TimestampStale { tolerance_seconds: 345_600 }));
    let early = sent(CERT).at(1_700_000_000 - 301).authentic(&source);
    assert_eq!(early, Err(Refused::TimestampAhead { tolerance_seconds: 300 }));
    let strict = paypal("certificate = { past = \"5m\" }");
    let late = judged(&strict, &sent(CERT).at(1_700_000_301), GOOD);
    assert_eq!(late, Err(Refused::TimestampStale { tolerance_seconds: 300 }));
}

#[test]
fn a_certificate_counts_only_from_the_sender_s_own_hosts() {
    let source = paypal("");
    for foreign in [
        "https://evil.example.com/cert.pem",
        "https://paypal.com.evil.example.com/c",
        "https://evilpaypal.com/c",
        "https://paypal.com/c",
        "http://api.paypal.com/c",
        "https://api.paypal.com:8443/c",
        "https://api.paypal.com@evil.example.com/c",
        "https://user@api.paypal.com/c",
        "https://api.paypal.com/c?to=evil",
        "https://api.paypal.com/c#x",
        "https://evil.example.com\\.paypal.com/c",
        "http://127.0.0.1/c",
        "file:///etc/passwd",
        "nonsense",
    ] {
        let asked = sent(foreign);
        assert!(source.certificate_wanted(&asked.request()).is_none(), "{foreign} would be asked");
        is_malformed(asked.authentic(&source), "*.paypal.com");
    }
    let (local, loopback) = (sent("http://127.0.0.1:1/c"), paypal("certificate = { loopback = true }"));
    assert!(judged(&loopback, &local, GOOD).is_ok());
    assert!(loopback.certificate_wanted(&sent("http://192.0.2.1/c").request()).is_none());
    let aws = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";
    for foreign in [
        "https://sns.us-west-2.amazonaws.com/cert.txt",
        "https://sns.s3-us-west-2.amazonaws.com/x.pem",
        "https://sns.s3.amazonaws.com/x.pem",
        "https://evil.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com.evil.com/x.pem",
        "http://sns.us-west-2.amazonaws.com/x.pem",
    ] {
        let asked = changed(&message(1), aws, foreign);
        assert!(sns().certificate_wanted(&asked.request()).is_none(), "{foreign} would be asked");
        is_malformed(asked.authentic(&sns()), "sns.REGION.amazonaws.com");
    }
    for own in ["https://sns.cn-north-1.amazonaws.com.cn/x.pem", "https://sns.us-gov-west-1.amazonaws.com/x.pem"] {
        let asked = changed(&message(1), aws, own);
        assert!(sns().certificate_wanted(&asked.request()).is_some(), "{own}");
    }
}

#[test]
fn a_certificate_must_be_of_that_key_in_force_and_one_at_all() {
    assert_eq!(judged(&paypal(""), &sent(CERT), OTHER), Err(Refused::SignatureWrong));
    is_malformed(judged(&paypal(""), &sent(CERT), EXPIRED), "expired");
    for useless in [P256, b"<html>", b""] {
        is_malformed(judged(&paypal(""), &sent(CERT), useless), "no RSA certificate");
    }
    assert_eq!(Certificate::read(P256), Err(CertificateFault::NotRsa));
    // Not asked yet, or not answered: nobody's fault but the moment's.
    assert_eq!(sent(CERT).authentic(&paypal("")), Err(Refused::KeysUnreachable));
}

#[test]
fn strangers_addresses_are_bounded_and_push_no_proven_certificate_out() {
    let known = Certificates::default();
    let start = Instant::now();
    let address = |nth: usize| Url::parse(&format!("https://api.paypal.com/{nth}")).unwrap();
    known.asking(&address(0), start);
    assert!(!known.due(&address(0), start), "asked once within the cool-down");
    assert!(known.due(&address(0), start + COOL_DOWN));
    known.answered(&address(0), GOOD).unwrap();
    assert!(known.has(&address(0), at(1_700_000_000)) && !known.has(&address(0), at(1_500_000_000)));
    known.proven(&address(0));
    for nth in 1..NAMES_LIMIT {
        assert!(known.due(&address(nth), start));
        known.asking(&address(nth), start + Duration::from_secs(1));
    }
    assert!(!known.due(&address(100), start + Duration::from_secs(2)), "no more within a cool-down");
    for nth in 0..3 * NAMES_LIMIT {
        known.asking(&address(100 + nth), start + 2 * COOL_DOWN);
    }
    assert!(matches!(known.at(&address(0)), Found::Good(_)));
    known.failed(&address(100), true);
    assert_eq!((known.at(&address(100)), known.at(&address(1))), (Found::Useless, Found::Unreachable));
}

#[test]
fn sns_signs_the_named_fields_in_both_versions() {
    let source = sns();
    for nth in 0..4 {
        let asked = message(nth);
        assert!(judged(&source, &asked, GOOD).is_ok(), "{nth}: {:?}", asked.authentic(&source));
        assert_eq!(changed(&asked, "22b80b92", "22b80b93").authentic(&source), Err(Refused::SignatureWrong));
    }
    let identity = message(0).identity(&source).unwrap();
    assert_eq!((identity.key.as_deref(), identity.key_signed), (Some("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"), true));
    assert_eq!((&*identity.kind, &*identity.tenant), ("Notification", TOPIC));
    is_malformed(changed(&message(1), "\"2\"", "\"3\"").authentic(&source), "version");
    assert_eq!(changed(&message(1), "\"2\"", "\"1\"").authentic(&source), Err(Refused::SignatureWrong));
    is_malformed(changed(&message(1), "{", r#"{"Message":"evil","#).authentic(&source), "duplicate field");
    is_malformed(changed(&message(1), "22b80b92", r"22b80b92\n").authentic(&source), "line feeds");
    assert!(message(1).at(1_700_000_000 + 86_401).authentic(&source).is_err());
    // Raw delivery has no signature.
    assert_eq!(Asked::new("{}", &[]).authentic(&source), Err(Refused::CredentialsMissing));
}

#[test]
fn a_topic_that_is_not_ours_cannot_send_and_cannot_subscribe_us() {
    let other = "[[source]]\nname = \"sns\"\npreset = \"aws-sns\"\ntopics = [\"arn:aws:sns:us-west-2:1:Other\"]";
    let other = read(other).unwrap().remove(0);
    for nth in 0..4 {
        assert_eq!(judged(&other, &message(nth), GOOD), Err(Refused::TopicForeign));
    }
    let source = sns();
    assert!(judged(&source, &message(2), GOOD).is_ok());
    assert_eq!(source.handshake(&message(2).request()).unwrap().name, "SubscriptionConfirmation");
    let asked: Value = serde_json::from_slice(&message(2).body).unwrap();
    let confirm = Url::parse(asked["SubscribeURL"].as_str().unwrap()).unwrap();
    let subscription = source.subscription(&message(2).request());
    assert_eq!(subscription, Some(Subscription::Asked { topic: TOPIC.to_owned(), confirm }));
    let ended = source.subscription(&message(3).request());
    assert_eq!(ended, Some(Subscription::Ended { topic: TOPIC.to_owned() }));
    assert_eq!((source.handshake(&message(0).request()), source.subscription(&message(0).request())), (None, None));
    let elsewhere = changed(&message(2), "https://sns.us-west-2.amazonaws.com/?", "https://evil.example.com/?");
    assert_eq!(source.subscription(&elsewhere.request()), None);
}

#[test]
fn what_binds_a_sender_to_us_must_be_set_and_belongs_nowhere_else() {
    let fault = |lines: &str| read(&format!("[[source]]\nname = \"s\"\n{lines}")).unwrap_err().join("\n");
    assert!(fault("preset = \"paypal\"").contains("webhook_id"));
    assert!(fault("preset = \"paypal\"\nwebhook_id = \"a|b\"").contains("letters and digits"));
    assert!(fault("preset = \"aws-sns\"").contains("subscribe us"));
    assert!(fault("preset = \"aws-sns\"\ntopics = [\"alarms\"]").contains("arn:aws:sns:REGION"));
    assert!(fault("preset = \"paypal\"\nwebhook_id = \"W\"\nsecrets = [\"x\"]").contains("is not used"));
    assert!(fault("secrets = [\"x\"]\nwebhook_id = \"W\"").contains("has no certificate"));
    let mixed = fault("preset = \"paypal\"\nwebhook_id = \"W\"\ntopics = [\"arn:aws:sns:a:1:b\"]");
    assert!(mixed.contains("topics"), "{mixed}");
}
