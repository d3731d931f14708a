//! Literal vectors from the senders' documentation and official libraries: a preset that is wrong cannot pass.

use super::{
    super::*,
    kit::{Asked, source},
};

/// Verifies, and fails for another body.
pub(super) fn proves(source: &Source, asked: Asked) {
    assert!(asked.authentic(source).is_ok(), "{}: {:?}", source.name(), asked.authentic(source));
    let mut tampered = asked;
    tampered.body = [&tampered.body, &b" "[..]].concat().into();
    assert_eq!(tampered.authentic(source), Err(Refused::SignatureWrong), "{}", source.name());
}

const EVENT: &str = r#"{"event":"user.created","id":"evt_1"}"#;
const EVENT_MAC: &str = "d0ca8add29193a055f294d8a2f07fcec6526c8ab7cd960eabe67c97f51c7b8a9";

#[test]
fn platform() {
    let signature = format!("sha256={EVENT_MAC}");
    proves(&source("platform", "test_secret"), Asked::new(EVENT, &[("x-platform-signature", &signature)]));
}

#[test]
fn faithflow_with_the_campus_key() {
    let source = source("faithflow", "ignored");
    let key = source.read_key(&"test_secret".into()).unwrap();
    let asked = |signature: &str| {
        let asked = Asked::new(EVENT, &[("x-webhook-signature", signature)]);
        source.authenticate(&asked.request(), std::slice::from_ref(&key)).map(|_| ())
    };
    assert_eq!(asked(EVENT_MAC), Ok(()));
    assert_eq!(asked(&EVENT_MAC.to_uppercase()), Err(Refused::SignatureWrong));
    assert_eq!(asked(&format!("sha256={EVENT_MAC}")), Err(Refused::SignatureWrong));
}

#[test]
fn generic_with_and_without_prefix_and_in_either_case() {
    let source = source("generic", "test_secret");
    for signature in [EVENT_MAC.to_owned(), format!("sha256={EVENT_MAC}"), EVENT_MAC.to_uppercase()] {
        proves(&source, Asked::new(EVENT, &[("x-webhook-signature", &signature)]));
    }
}

#[test]
fn github() {
    let source = source("github", "It's a Secret to Everybody");
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    proves(&source, Asked::new("Hello, World!", &[("x-hub-signature-256", signature)]));
}

#[test]
fn stripe() {
    let source = source("stripe", "whsec_test_secret");
    let v1 = "d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
    let body = r#"{"id":"evt_test_webhook","object":"event"}"#;
    proves(&source, Asked::new(body, &[("stripe-signature", &format!("t=1700000000,v1={v1}"))]));
    let rotating = format!("t=1700000000,v1={},v1={v1},v0=junk", "0".repeat(64));
    proves(&source, Asked::new(body, &[("stripe-signature", &rotating)]));
    let downgrade = Asked::new(body, &[("stripe-signature", &format!("t=1700000000,v0={v1}"))]);
    assert!(matches!(downgrade.authentic(&source), Err(Refused::CredentialsMalformed { .. })));
}

#[test]
fn standard_webhooks_hmac() {
    let vectors = [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            1_731_705_121,
            r#"{"event_type":"ping","data":{"success":true}}"#,
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ];
    for (secret, id, seconds, body, signature) in vectors {
        let source = source("standard-webhooks", secret);
        for family in ["webhook", "svix"] {
            let name = |part: &str| format!("{family}-{part}");
            let junk = format!("v1,AAAA v2,what {signature}");
            let (id_name, time_name, signature_name) = (name("id"), name("timestamp"), name("signature"));
            let time = seconds.to_string();
            let headers = [(&*id_name, id), (&*time_name, &*time), (&*signature_name, &*junk)];
            proves(&source, Asked::new(body, &headers).at(seconds));
        }
    }
}

#[test]
fn standard_webhooks_ed25519() {
    let source = source("standard-webhooks", "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
    let signature = "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ==";
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", signature),
    ];
    proves(&source, Asked::new(r#"{"test": 2432232314}"#, &headers).at(1_614_265_330));
}
