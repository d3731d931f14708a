//! The routes of document C: three dialects on one, API keys, HMAC and tokens.

use super::*;

const LTI: &str = "lti-secret-0123456789abcdef";
const MOODLE: &str = "moodle-token-0123456789";

fn lti() -> Source {
    let mut profile = (preset::named("lti").unwrap().profile)();
    if let Verifier::Any(ways) = &mut profile.verifier {
        for way in ways {
            if let Verifier::Jws(jws) = way {
                jws.keys = PublicKey::set(&set(&[Signer::rsa().jwk("canvas")])).unwrap().into();
            }
        }
    }
    Source::with_tokens("lti", profile, &[LTI.into()], &[MOODLE.into()]).unwrap()
}

fn signed(body: &str, prefix: &str) -> Asked {
    let signature = hex::encode(Signer::Hs256(LTI.into()).sign(body.as_bytes()));
    // Later than the document's examples.
    Asked::new(body, &[("x-webhook-signature", &format!("{prefix}{signature}"))]).at(1_750_000_000)
}

fn kind(asked: &Asked) -> Result<String, String> {
    let source = lti();
    let authentic = asked.authentic(&source).map_err(|refused| refused.detail())?;
    let body = authentic.payload.unwrap_or_else(|| asked.body.clone());
    let request = Request { body: &body, ..asked.request() };
    source.identify(&request).map(|events| events[0].kind.to_string()).map_err(|refused| refused.detail())
}

#[test]
fn the_documents_example_is_accepted_signed_in_either_spelling_and_its_test_event_is_unknown() {
    let grade = r#"{"type":"grade.updated","data":{"userId":"user123","resourceLinkId":"link456","score":85,"maxScore":100,"timestamp":"2024-01-01T12:00:00Z"}}"#;
    for prefix in ["", "sha256="] {
        assert_eq!(kind(&signed(grade, prefix)), Ok("grade.updated".to_owned()));
    }
    assert_eq!(kind(&Asked::new(grade, &[])), Err("Missing webhook signature".to_owned()));
    let wrong = Asked::new(grade, &[("x-webhook-signature", "sha256=00")]);
    assert_eq!(kind(&wrong), Err("Invalid webhook signature".to_owned()));
    let test = r#"{"type": "test.event", "data": {"message": "test"}}"#;
    assert_eq!(kind(&signed(test, "sha256=")), Err("Unknown event type".to_owned()));
    let no_score = grade.replace(r#""score":85,"#, "");
    assert_eq!(
        kind(&signed(&no_score, "")),
        Err("Missing /data/score in payload: the field is required and must not be empty".to_owned())
    );
    let bad_score = grade.replace("85", "\"many\"");
    assert_eq!(
        kind(&signed(&bad_score, "")),
        Err("Invalid /data/score in payload: it must be a number, and is text".to_owned())
    );
}

#[test]
fn canvas_is_recognised_plain_and_as_a_token_whose_claims_are_the_event() {
    let event = json!({"metadata": {"event_name": "grade_change", "event_time": "2023-11-14T22:00:00.123Z",
        "root_account_uuid": "acc"}, "body": {"assignment_id": "7", "student_id": "9"}});
    assert_eq!(kind(&signed(&event.to_string(), "")), Ok("grade_change".to_owned()));
    assert_eq!(kind(&signed(r#"{"event_name":"logged_in","body":{}}"#, "")), Ok("logged_in".to_owned()));
    let source = lti();
    let identity = |iat: i64| {
        let mut claims = event.clone();
        claims["iat"] = json!(iat);
        let asked = Asked::new(&Signer::rsa().token("canvas", &claims), &[("content-type", "text/plain")]);
        assert_eq!(source.require_credentials(&asked.request()), Ok(()));
        let authentic = asked.authentic(&source).unwrap();
        assert_eq!(authentic.secret, "jwk:canvas");
        let body = authentic.payload.unwrap();
        source.identify(&Request { body: &body, ..asked.request() }).unwrap().remove(0)
    };
    let (one, again) = (identity(NOW - 5), identity(NOW));
    assert_eq!((&*one.kind, &*one.tenant), ("grade_change", "acc"));
    assert_eq!(one.key, again.key, "signed anew, it is the same event");
    assert!(one.body.starts_with(b"{\"metadata\""));
    let forged = Signer::ed25519().token("canvas", &event);
    assert!(kind(&Asked::new(&forged, &[])).unwrap_err().starts_with("Invalid token"));
}

#[test]
fn moodles_token_authenticates_and_is_never_stored() {
    let body = |token: &str| {
        format!(
            r#"{{"eventname":"\\core\\event\\user_graded","relateduserid":"7","other":{{"itemid":"3"}},"timecreated":1699999999,"token":"{token}"}}"#
        )
    };
    assert_eq!(kind(&Asked::new(&body(MOODLE), &[])), Ok(r"\core\event\user_graded".to_owned()));
    assert_eq!(kind(&Asked::new(&body("wrong"), &[])), Err("Invalid API key".to_owned()));
    assert_eq!(kind(&Asked::new(&body(""), &[])), Err("Missing webhook signature".to_owned()));
    assert_eq!(kind(&Asked::new(&body(LTI), &[])), Err("Invalid API key".to_owned()), "a signing secret is no token");
    let source = lti();
    let events = source.identify(&Asked::new(&body(MOODLE), &[]).request()).unwrap();
    assert!(!String::from_utf8_lossy(&events[0].body).contains(MOODLE));
    let rotated = source.identify(&Asked::new(&body("another"), &[]).request()).unwrap();
    assert_eq!(events[0].key, rotated[0].key);
}

#[test]
fn plain_canvas_comes_with_a_token_in_its_url_and_moodles_trigger_with_one_in_a_header() {
    let canvas = r#"{"metadata":{"event_name":"grade_change"},"body":{"assignment_id":"7","student_id":"9"}}"#;
    let at = |uri: &str| kind(&Asked::new(canvas, &[]).to(uri, None));
    let url = format!("/webhooks/lti/events?token={MOODLE}");
    assert_eq!(at(&url), Ok("grade_change".to_owned()));
    assert_eq!(at("/webhooks/lti/events"), Err("Missing webhook signature".to_owned()));
    assert_eq!(at("/webhooks/lti/events?token="), Err("Missing webhook signature".to_owned()));
    assert_eq!(at("/webhooks/lti/events?token=wrong"), Err("Invalid API key".to_owned()));
    assert_eq!(at(&format!("/webhooks/lti/events?token={LTI}")), Err("Invalid API key".to_owned()), "it only signs");
    // A wrong signature is not made good by a token.
    let both = Asked::new(canvas, &[("x-webhook-signature", "00")]).to(&url, None);
    assert_eq!(kind(&both), Err("Invalid webhook signature".to_owned()));

    let moodle = r#"{"eventname":"\\core\\event\\user_graded","relateduserid":"7","other":{"itemid":"3"}}"#;
    let with = |name: &str, value: &str| kind(&Asked::new(moodle, &[(name, value)]));
    assert_eq!(with("x-api-key", MOODLE), Ok(r"\core\event\user_graded".to_owned()));
    assert_eq!(with("authorization", &format!("Bearer {MOODLE}")), Ok(r"\core\event\user_graded".to_owned()));
    assert_eq!(with("x-api-key", "wrong"), Err("Invalid API key".to_owned()));

    // What may stand in a URL is long enough to be the only lock.
    let made = |token: &str| {
        Source::with_tokens("lti", (preset::named("lti").unwrap().profile)(), &[LTI.into()], &[token.into()])
    };
    assert!(made(MOODLE).is_ok());
    assert!(made("moodle-token").unwrap_err().to_string().contains("at least 22 characters"));
}

#[test]
fn a_service_comes_with_its_key_or_its_signature() {
    let source = Source::new("ai", (preset::named("service").unwrap().profile)(), &[LTI.into()]).unwrap();
    let body = "{}";
    let by = |headers: &[(&str, &str)]| Asked::new(body, headers).authentic(&source).map(|_| ());
    assert_eq!(by(&[("x-api-key", LTI)]), Ok(()));
    assert_eq!(by(&[("authorization", &format!("Bearer {LTI}"))]), Ok(()));
    assert_eq!(by(&[("x-api-key", "wrong")]), Err(Refused::TokenWrong));
    assert_eq!(by(&[]), Err(Refused::TokenMissing));
    assert_eq!(signed(body, "sha256=").authentic(&source).map(|_| ()), Ok(()));
    assert_eq!(source.require_credentials(&Asked::new("", &[]).request()), Err(Refused::TokenMissing));
}

#[test]
fn an_internal_events_type_stands_in_path_and_body() {
    let source = internal(Vec::new(), &[SECRET]);
    let asked = |path: &str, body: &str| {
        let mut asked = Asked::new(body, &[]);
        asked.params = source.path().matches(path).unwrap();
        asked.identity(&source).map(|identity| identity.kind.to_string()).map_err(|refused| refused.detail())
    };
    let video =
        r#"{"type":"video.upload.completed","data":{"videoId":"v","metadata":{},"timestamp":"2023-11-14T22:00:00Z"}}"#;
    assert_eq!(asked("/webhooks/internal/video.upload.completed", video), Ok("video.upload.completed".to_owned()));
    assert!(asked("/webhooks/internal/deep_link.created", video).unwrap_err().starts_with("Event type mismatch"));
    assert_eq!(asked("/webhooks/internal/x", r#"{"type":"x"}"#), Err("Unknown event type".to_owned()));
}

#[test]
fn what_lychgate_send_makes_verifies_with_every_kind_of_key() {
    let secrets = [RSA.trim().to_owned(), SECRET.to_owned()];
    for (secret, source) in secrets
        .iter()
        .zip([internal(PublicKey::set(&set(&[Signer::rsa().jwk("k")])).unwrap(), &[]), internal(Vec::new(), &[SECRET])])
    {
        let draft = Draft { kind: "order.updated", id: "e1", tenant: None, subject: None, at: at(NOW) };
        let sent = sign::sign(&source, &secret.as_str().into(), &draft, None, None).unwrap();
        let asked = Asked::sent(sent, at(NOW), &source);
        assert!(asked.authentic(&source).is_ok());
        assert_eq!(&*asked.identity(&source).unwrap().kind, "order.updated");
    }
    let canvas = lti();
    let draft = Draft { kind: "assignment_created", id: "e1", tenant: None, subject: None, at: at(NOW) };
    let sent = sign::sign(&canvas, &RSA.trim().into(), &draft, None, None).unwrap();
    assert!(sent.body.starts_with(b"eyJ"));
    assert!(Asked::sent(sent, at(NOW), &canvas).authentic(&canvas).unwrap().payload.is_some());
}

#[test]
fn only_the_accounts_named_are_taken() {
    let mut profile = (preset::named("canvas").unwrap().profile)();
    profile.naming.tenants = vec!["ours".into()];
    let source = Source::new("canvas", profile, &[LTI.into()]).unwrap();
    let of = |account: &str| {
        let event = json!({"metadata": {"event_name": "logged_in", "root_account_uuid": account}, "body": {}});
        Asked::new(&event.to_string(), &[]).identity(&source).map(|identity| identity.tenant.to_string())
    };
    let caliper = json!({"sensor": "s", "data": [{"id": "urn:uuid:1", "type": "GradeEvent", "action": "Graded"}]});
    let unnamed = Asked::new(&caliper.to_string(), &[]).identity(&source);
    assert_eq!(unnamed, Err(Refused::TenantForeign), "an event of no account is not one of ours");
    assert_eq!(of("ours"), Ok("ours".to_owned()));
    assert_eq!(of("theirs"), Err(Refused::TenantForeign));
    assert_eq!(Bytes::new(), source.redacted(&Bytes::new()));
}
