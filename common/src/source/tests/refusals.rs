//! Requests that must not come in.

use super::{
    super::*,
    kit::{Asked, source},
};

#[test]
fn each_bad_signature_has_its_reason() {
    let source = source("platform", "s");
    let good = "0".repeat(64);
    let cases: [(&[&str], &str); 7] = [
        (&[], "credentials_missing"),
        (&[""], "credentials_missing"),
        (&[&good], "credentials_malformed"),
        (&["sha256=nothex"], "credentials_malformed"),
        (&["sha256=00"], "signature_wrong"),
        (&[&format!("sha256={good}")], "signature_wrong"),
        (&[&format!("sha256={good}"), &format!("sha256={good}")], "credentials_malformed"),
    ];
    for (values, name) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("x-platform-signature", *value)).collect();
        let refused = Asked::new("{}", &headers).authentic(&source).unwrap_err();
        assert_eq!((refused.name(), refused.status().as_u16()), (name, 401), "{values:?}");
    }
}

#[test]
fn credentials_are_missed_before_the_body_is_read() {
    let source = source("platform", "s");
    assert_eq!(source.require_credentials(&Asked::new("", &[]).request()), Err(Refused::CredentialsMissing));
    let present = Asked::new("", &[("x-platform-signature", "sha256=00")]);
    assert_eq!(source.require_credentials(&present.request()), Ok(()));
}

#[test]
fn at_most_sixteen_signatures_are_tried() {
    let source = source("stripe", "s");
    let many = format!("t=1700000000{}", format!(",v1={}", "0".repeat(64)).repeat(17));
    let refused = Asked::new("{}", &[("stripe-signature", &many)]).authentic(&source).unwrap_err();
    assert_eq!(refused.name(), "credentials_malformed");
}

#[test]
fn two_timestamps_are_one_too_many() {
    let source = source("stripe", "whsec_test_secret");
    let header = "t=1700000000,t=1600000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
    let body = r#"{"id":"evt_test_webhook","object":"event"}"#;
    assert!(Asked::new(body, &[("stripe-signature", header)]).authentic(&source).is_err());
}

#[test]
fn a_good_but_stale_signature_is_refused_as_stale() {
    let source = source("stripe", "whsec_test_secret");
    let header = "t=1700000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
    let asked = Asked::new(r#"{"id":"evt_test_webhook","object":"event"}"#, &[("stripe-signature", header)]);
    assert_eq!(asked.clone().at(1_700_000_301).authentic(&source).unwrap_err().name(), "timestamp_stale");
    assert_eq!(asked.at(1_699_999_699).authentic(&source).unwrap_err().name(), "timestamp_ahead");
}

#[test]
fn a_rotation_names_the_secret_that_verified() {
    let profile = (preset::named("platform").unwrap().profile)();
    let (new, old) = (Secret::from("new_secret"), Secret::from("test_secret"));
    let source = Source::new("platform", profile, &[new, old.clone()]).unwrap();
    let signature = "sha256=d0ca8add29193a055f294d8a2f07fcec6526c8ab7cd960eabe67c97f51c7b8a9";
    let asked = Asked::new(r#"{"event":"user.created","id":"evt_1"}"#, &[("x-platform-signature", signature)]);
    assert_eq!(asked.authentic(&source).unwrap().secret, old.label());
}

#[test]
fn a_source_without_a_usable_secret_is_not_built() {
    let profile = || (preset::named("standard-webhooks").unwrap().profile)();
    assert!(matches!(Source::new("x", profile(), &[]), Err(SourceFault::NoSecret { .. })));
    let fault =
        Source::new("x", profile(), &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), "plain".into()]).unwrap_err();
    let text = "source `x`: secret 2 must start with `whsec_` (HMAC) or `whpk_` (Ed25519 public key)";
    assert_eq!(fault.to_string(), text);
}

#[test]
fn a_token_in_the_url_must_be_long_and_is_compared_whole() {
    let mut profile = (preset::named("generic").unwrap().profile)();
    profile.verifier = Verifier::Token(Token { at: vec![Place::Query("token".into()), Place::Bearer] });
    assert!(Source::new("x", profile.clone(), &["short".into()]).is_err());
    let secret = "p3Vd0c6m8kQyHqXbZ1sT7w";
    let source = Source::new("x", profile, &[secret.into()]).unwrap();
    let asked = |uri: &str, headers: &[(&str, &str)]| Asked::new("{}", headers).to(uri, None).authentic(&source);
    assert!(asked(&format!("/in?token={secret}"), &[]).is_ok());
    assert!(asked("/in", &[("authorization", &format!("bearer {secret}"))]).is_ok());
    assert_eq!(asked("/in", &[]), Err(Refused::TokenMissing));
    assert_eq!(asked("/in?token=p3Vd0c6m8kQyHqXbZ1sT7", &[]), Err(Refused::TokenWrong));
    assert!(asked(&format!("/in?token={secret}&token={secret}"), &[]).is_err());
}
