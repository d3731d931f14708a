//! What events are called and known by.

use serde_json::json;

use super::{
    super::*,
    kit::{Asked, at, source},
};

#[test]
fn a_platform_event_is_known_by_its_signed_id() {
    let source = source("platform", "test_secret");
    let body = r#"{"id":"webhook_1","event":"user.created","timestamp":"2023-11-14T22:13:20Z","data":{"user":{"id":"u7","username":"u"}}}"#;
    let headers = [("x-platform-event", "user.created"), ("idempotency-key", "other"), ("x-platform-delivery", "d1")];
    let identity = Asked::new(body, &headers).identity(&source).unwrap();
    assert_eq!(identity.key.as_deref(), Some("webhook_1"));
    assert!(identity.key_signed && !identity.body_guard);
    assert_eq!((&*identity.kind, identity.subject.as_deref()), ("user.created", Some("u7")));
    assert_eq!((identity.occurred_at, &*identity.tenant), (Some(at(1_700_000_000)), ""));
}

#[test]
fn header_and_body_must_name_the_same_type() {
    let source = source("platform", "s");
    let asked = Asked::new(r#"{"id":"1","event":"user.created"}"#, &[("x-platform-event", "user.deleted")]);
    assert_eq!(asked.identity(&source).unwrap_err().name(), "kind_mismatch");
}

#[test]
fn faithflow_events_have_a_key_only_with_a_timestamp() {
    let source = source("faithflow", "");
    let key = |body: &str| Asked::new(body, &[]).identity(&source).unwrap().key;
    let timed = r#"{"event_type":"member.updated","church_id":"c","member_id":"m","timestamp":"2023-11-14T22:13:20Z"}"#;
    assert!(key(timed).unwrap().starts_with("sha256:"));
    assert_eq!(key(r#"{"event_type":"member.updated","church_id":"c","member_id":"m"}"#), None);
}

#[test]
fn faithflow_refuses_in_the_words_of_its_document() {
    let source = source("faithflow", "");
    let refused = |body: &str| {
        let refused = Asked::new(body, &[]).identity(&source).unwrap_err();
        (refused.status().as_u16(), refused.detail())
    };
    let detail = |text: &str| (400, text.to_owned());
    assert_eq!(refused(r#"{"event_type":"member.updated","member_id":"m"}"#), detail("Missing campus_id in payload"));
    assert_eq!(refused(r#"{"event_type":"member.updated","church_id":"c"}"#), detail("Missing member_id in payload"));
    assert_eq!(refused(r#"{"church_id":"c"}"#), detail("Missing event_type in payload"));
    assert_eq!(refused(r#"{"event_type":"member.moved","church_id":"c"}"#), detail("Unknown event type"));
}

#[test]
fn the_campus_is_read_before_the_signature_but_after_its_presence() {
    let source = source("faithflow", "");
    let body = r#"{"event_type":"member.updated","campus_id":"c7","member_id":"m"}"#;
    let unsigned = Asked::new(body, &[]);
    assert_eq!(source.tenant_hint(&unsigned.request()), Err(Refused::CredentialsMissing));
    let signed = Asked::new(body, &[("x-webhook-signature", "00")]);
    assert_eq!(source.tenant_hint(&signed.request()).unwrap().as_deref(), Some("c7"));
    let nameless = Asked::new("{}", &[("x-webhook-signature", "00")]);
    assert_eq!(source.tenant_hint(&nameless.request()).unwrap_err().detail(), "Missing campus_id in payload");
}

#[test]
fn faithflow_tests_are_answered_on_the_spot() {
    let source = source("faithflow", "");
    let answer = source.handshake(&Asked::new(r#"{"event_type":"test","church_id":"c"}"#, &[]).request()).unwrap();
    assert!(answer.authenticated);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let expected = json!({
        "success": true,
        "message": "Webhook test successful! FaithTracker is ready to receive member updates.",
        "timestamp": "2023-11-14T22:13:20.000000+00:00",
    });
    assert_eq!(body, expected);
    assert_eq!(source.handshake(&Asked::new(r#"{"event_type":"member.created"}"#, &[]).request()), None);
}

#[test]
fn github_names_action_and_delivery_and_guards_the_body() {
    let source = source("github", "s");
    let headers = [("x-github-event", "pull_request"), ("x-github-delivery", "72d3162e")];
    let identity =
        Asked::new(r#"{"action":"opened","repository":{"full_name":"a/b"}}"#, &headers).identity(&source).unwrap();
    assert_eq!((&*identity.kind, identity.key.as_deref()), ("pull_request.opened", Some("72d3162e")));
    assert!(!identity.key_signed && identity.body_guard);
    let ping = Asked::new(r#"{"zen":"x"}"#, &[("x-github-event", "ping")]);
    assert_eq!(source.handshake(&ping.request()).unwrap().name, "ping");
}

#[test]
fn an_idempotency_key_loses_one_pair_of_quotes_and_must_be_fit() {
    let source = source("generic", "s");
    let key = |key: &str| Asked::new("{}", &[("idempotency-key", key)]).identity(&source).map(|identity| identity.key);
    assert_eq!(key("\"8e03\""), Ok(Some("8e03".to_owned())));
    assert_eq!(key("8e03"), Ok(Some("8e03".to_owned())));
    assert_eq!(key("\"\"8e03\"\""), Ok(Some("\"8e03\"".to_owned())));
    assert_eq!(key(&"k".repeat(255)), Ok(Some("k".repeat(255))));
    for bad in ["k".repeat(256), "k".repeat(10_000), "\"\"".to_owned()] {
        assert_eq!(key(&bad).unwrap_err().status().as_u16(), 400, "{}", bad.len());
    }
}

#[test]
fn a_nul_in_a_key_or_name_is_refused() {
    let source = source("platform", "s");
    for bad in [r#"{"id":"a\u0000b","event":"user.created"}"#, r#"{"id":"a","event":"user\u0000"}"#] {
        assert_eq!(Asked::new(bad, &[]).identity(&source).unwrap_err().status().as_u16(), 400, "{bad}");
    }
}

#[test]
fn times_that_cannot_be_are_refused() {
    let source = source("platform", "s");
    for (time, name) in [("yesterday", "field_wrong"), ("2999-01-01T00:00:00Z", "field_wrong")] {
        let body = format!(r#"{{"id":"a","event":"user.moved","timestamp":"{time}"}}"#);
        assert_eq!(Asked::new(&body, &[]).identity(&source).unwrap_err().name(), name);
    }
}

#[test]
fn an_array_is_split_into_events_or_refused_whole() {
    let preset = preset::named("generic").unwrap();
    let mut profile = (preset.profile)();
    profile.naming.split = Some(Split::body());
    profile.naming.kind.fallback = None;
    let source = Source::new("many", profile, &["s".into()]).unwrap();
    let asked = Asked::new(r#"[{"type":"a"}, {"type":"b","x":[1,2]}]"#, &[("idempotency-key", "k")]);
    let events = source.identify(&asked.request()).unwrap();
    let seen: Vec<_> = events.iter().map(|e| (&*e.kind, e.key.as_deref().unwrap(), &e.body[..])).collect();
    assert_eq!(seen, vec![("a", "k#0", &br#"{"type":"a"}"#[..]), ("b", "k#1", &br#"{"type":"b","x":[1,2]}"#[..])]);
    assert!(source.identify(&Asked::new(r#"[{"type":"a"}, {}]"#, &[]).request()).is_err());
    assert_eq!(source.identify(&Asked::new("[]", &[]).request()).unwrap(), vec![]);
}

#[test]
fn all_presets_can_stand_side_by_side() {
    let built: Vec<_> = preset::ALL.iter().map(|preset| (preset.name, (preset.profile)())).collect();
    for (at, (name, profile)) in built.iter().enumerate() {
        assert_eq!(&*profile.preset, *name);
        for (other, earlier) in &built[..at] {
            assert!(other < name, "{other} and {name} are out of order");
            assert!(!earlier.path.collides_with(&profile.path), "{other} and {name} share a path");
        }
    }
}
