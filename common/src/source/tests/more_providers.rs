//! Literal vectors of still more senders: from their libraries' own tests, or computed with an independent program.

use bytes::Bytes;

use super::{
    super::*,
    kit::{Asked, source},
    vectors::proves,
};

const ADYEN: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

fn item(reference: &str, signature: &str) -> String {
    format!(
        r#"{{"NotificationRequestItem":{{"pspReference":"{reference}","merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1407325143704","amount":{{"value":1130,"currency":"EUR"}},"eventCode":"AUTHORISATION","success":"true","additionalData":{{"hmacSignature":"{signature}"}}}}}}"#
    )
}

fn items(items: &[String]) -> Asked {
    Asked::new(&format!(r#"{{"live":"false","notificationItems":[{}]}}"#, items.join(",")), &[])
}

const SIGNED: &str = "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=";

#[test]
fn adyen_signs_each_item_and_names_each() {
    let source = source("adyen", ADYEN);
    let good = item("7914073381342284", SIGNED);
    let asked = items(std::slice::from_ref(&good));
    assert!(asked.authentic(&source).is_ok());
    let identity = asked.identity(&source).unwrap();
    assert_eq!(identity.key.as_deref(), Some("7914073381342284:AUTHORISATION:true"));
    assert!(identity.key_signed && identity.body.starts_with(br#"{"pspReference""#));
    assert_eq!((&*identity.kind, &*identity.tenant), ("AUTHORISATION", "TestMerchant"));
    assert_eq!(source.reply().body(&[], None), "[accepted]");
    // A good first item vouches for nothing but itself.
    let forged = items(&[good.clone(), item("8814073381342284", SIGNED)]);
    assert_eq!(forged.authentic(&source), Err(Refused::SignatureWrong));
    let unsigned = items(&[good.clone(), item("8814073381342284", "")]);
    assert!(matches!(unsigned.authentic(&source), Err(Refused::CredentialsMalformed { .. })));
    assert!(items(&[good.clone(), good]).authentic(&source).is_ok());
    assert_eq!(items(&[]).authentic(&source), Err(Refused::CredentialsMissing));
}

#[test]
fn adyen_s_platform_signs_the_body_in_a_header() {
    let headers = [("hmacsignature", "+fnqKaWilO7FWXLGmIj51dmsS7+IzioZ4h0JW1W08hk=")];
    let asked = Asked::new(r#"{"type":"balancePlatform.accountHolder.updated"}"#, &headers);
    proves(&source("adyen-platform", ADYEN), asked);
}

#[test]
fn sanity() {
    let signature = "t=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0";
    let asked = Asked::new(r#"{"_id":"resume"}"#, &[("sanity-webhook-signature", signature)]).at(1_633_519_811);
    proves(&source("sanity", "test"), asked);
    let signature = "t=1633518820676, v1=e7C9h2sfbFfc4V7TEz7PSOp4IoNzl0UdVsBV-1wgdeA";
    let body = r#"{"title":"GROQ-Hooks are neat"}"#;
    let asked = Asked::new(body, &[("sanity-webhook-signature", signature)]).at(1_633_518_820);
    proves(&source("sanity", "try-me"), asked);
}

#[test]
fn senders_of_a_plain_hmac() {
    let body = r#"{"id":1}"#;
    let base64 = "plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=";
    let hex = "a655bc546aaad270cc204843a9a34d5bdf5ab1d502cbb108a8b655710c2d019d";
    for (preset, header, signature) in [
        ("woocommerce", "x-wc-webhook-signature", base64.to_owned()),
        ("xero", "x-xero-signature", base64.to_owned()),
        ("lemonsqueezy", "x-signature", hex.to_owned()),
        ("razorpay", "x-razorpay-signature", hex.to_owned()),
        ("dropbox", "x-dropbox-signature", hex.to_owned()),
        ("asana", "x-hook-signature", hex.to_owned()),
        ("doppler", "x-doppler-signature", format!("sha256={hex}")),
        ("meta", "x-hub-signature-256", format!("sha256={hex}")),
    ] {
        proves(&source(preset, "shop-secret"), Asked::new(body, &[(header, &signature)]));
    }
}

#[test]
fn trello_and_hubspot_sign_the_url_that_they_were_given() {
    let asked = Asked::new(r#"{"action":{"id":"a1"}}"#, &[("x-trello-webhook", "igxos9qZRzdJRyrXIOj9WU64PDc=")]);
    let trello = source("trello", "trello-secret");
    proves(&trello, asked.clone().to("/trello?board=1", Some("https://example.com/trello?board=1")));
    proves(&trello, asked.clone().to("/trello?board=1", Some("https://example.com/trello")));
    assert!(asked.to("/trello", Some("https://example.com/trello")).authentic(&trello).is_err());
    for signature in ["9Wyf0KcsWfOVmkY2ue8Ftb3HaGe2tdSwEaQFDmEYk6g=", "AWQFRDiA5Kj0xSKGXOypukyvhHVJi8CXoQK3CbCyNdo="] {
        let headers = [("x-hubspot-signature-v3", signature), ("x-hubspot-request-timestamp", "1700000000000")];
        let asked = Asked::new("{}", &headers).to("/hook?next=%2Fa%40b&x=%20", Some("https://example.com/hook"));
        proves(&source("hubspot-v3", "secret"), asked);
    }
}

#[test]
fn twilio_signs_a_json_body_s_digest_in_the_url() {
    let source = source("twilio", "12345");
    let digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let uri = format!("/myapp.php?foo=1&bar=2&bodySHA256={digest}");
    let asked = |body: &str, signature: &str| {
        Asked::new(body, &[("x-twilio-signature", signature)]).to(&uri, Some("https://mycompany.com/myapp.php"))
    };
    let (body, signature) = (r#"{"property": "value", "boolean": true}"#, "a9nBmqA0ju/hNViExpshrM61xv4=");
    proves(&source, asked(body, signature));
    // A configured query is what the request's begins with.
    let given = asked(body, signature).to(&uri, Some("https://mycompany.com/myapp.php?foo=1&bar=2"));
    proves(&source, given.clone());
    // A digest that is not part of the signed URL vouches for nothing.
    let bare = "https://mycompany.com/myapp.php?foo=2";
    assert_eq!(given.to(&uri, Some(bare)).authentic(&source), Err(Refused::SignatureWrong));
    let other = asked(body, signature).to("/myapp.php?foo=1&bar=2", Some("https://mycompany.com/myapp.php"));
    assert_eq!(other.authentic(&source), Err(Refused::SignatureWrong));
    // The signature of the bare URL, such as one without parameters has, signs no body that a digest is added for.
    let url_only = [("x-twilio-signature", "Bsf9iYQ5AXE5q7lrjQHo9iYZGbo=")];
    let evil = Asked::new("a=1", &url_only).to(
        "/hook?bodySHA256=c22fea5d7428e5cf47ef6354c97c9223c95d6dcdc3e0d2300ff79056b1ff3d85",
        Some("https://mycompany.com/hook?x=1"),
    );
    assert_eq!(evil.authentic(&source), Err(Refused::SignatureWrong));
    // Twilio may write the usual port into the URL that it signs.
    let headers = [("x-twilio-signature", "cGA1jMLVYQXY8oisa5Nru9HO11s=")];
    let ported = Asked::new("a=1&a=1", &headers).to("/myapp.php?foo=1", Some("https://mycompany.com/myapp.php"));
    assert!(ported.authentic(&source).is_ok());
}

#[test]
fn x_signs_activities_and_nothing_of_a_challenge_is_one() {
    let source = source("x", "consumer-secret");
    let signature = "sha256=eoKjzeO72//XwD1oTSk4p7tixM6TIW5C9SzJ6SXuJpw=";
    let asked = Asked::new(r#"{"for_user_id":"2244994945"}"#, &[("x-twitter-webhooks-signature", signature)]);
    assert_eq!(&*asked.identity(&source).unwrap().kind, "activity");
    proves(&source, asked);
    // A token that X's secret signed for anybody is authentic as a body, and still no event.
    let signature = "sha256=nrwaWubeVm9NjNzYQgg3ZU29WQ9iEXvcQfp3W+LraEY=";
    let token = "MGY3YWFmNDItMzYzYi00YTEyLWI3YjAtNjBhN2YxZDg4NjMw";
    let asked = Asked::new(token, &[("x-twitter-webhooks-signature", signature)]);
    assert!(asked.authentic(&source).is_ok());
    assert_eq!(asked.identity(&source).unwrap_err().name(), "body_not_json");
    assert_eq!(Asked::new("12345", &[]).identity(&source).unwrap_err().name(), "field_missing");
}

#[test]
fn polar_and_gitlab_speak_standard_webhooks() {
    let headers = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1,eN3yKz/A01BQnytua60tFPG3dM98c0y7UPx1q0AXTNE="),
    ];
    proves(&source("polar", "polar_whs_secret"), Asked::new(r#"{"type":"order.paid"}"#, &headers));
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("x-gitlab-event", "Push Hook"),
    ];
    for preset in ["gitlab-signed", "clerk", "openai"] {
        let source = source(preset, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let asked = Asked::new(r#"{"test": 2432232314}"#, &headers).at(1_614_265_330);
        assert!(asked.identity(&source).unwrap().key_signed, "{preset}");
        proves(&source, asked);
    }
}

#[test]
fn lists_may_be_empty_and_their_elements_are_events() {
    for (preset, empty) in [("asana", r#"{"events":[]}"#), ("xero", r#"{"events":[],"entropy":"x"}"#)] {
        let source = source(preset, "s");
        assert_eq!(source.identify(&Asked::new(empty, &[]).request()), Ok(Vec::new()), "{preset}");
    }
    let body = r#"{"events":[{"action":"changed","created_at":"2023-11-14T22:13:20Z","resource":{"gid":"7","resource_type":"task"}}]}"#;
    let identity = Asked::new(body, &[]).identity(&source("asana", "s")).unwrap();
    assert_eq!((&*identity.kind, identity.subject.as_deref()), ("task.changed", Some("7")));
    assert!(identity.key.unwrap().starts_with("sha256:"));
}

#[test]
fn microsoft_graph_s_client_state_is_not_stored() {
    let source = source("microsoft-graph", "p3Vd0c6m8kQyHqXbZ1sT7w");
    let body = r#"{"value":[{"id":"n1","clientState":"hush","changeType":"created","resource":"Users/1"}]}"#;
    let identity = Asked::new(body, &[]).identity(&source).unwrap();
    let stored = r#"{"id":"n1","clientState":"","changeType":"created","resource":"Users/1"}"#;
    assert_eq!(identity.body, Bytes::from_static(stored.as_bytes()));
}

#[test]
fn cloudevents_are_named_by_headers_or_by_their_body() {
    let source = source("cloudevents", "p3Vd0c6m8kQyHqXbZ1sT7w");
    let headers = [("ce-id", "e1"), ("ce-source", "/shop"), ("ce-type", "order.paid"), ("ce-specversion", "1.0")];
    let binary = Asked::new("no JSON", &headers).identity(&source).unwrap();
    let body = r#"{"specversion":"1.0","id":"e1","source":"/shop","type":"order.paid"}"#;
    let structured = Asked::new(body, &[]).identity(&source).unwrap();
    for identity in [binary, structured] {
        assert_eq!((&*identity.kind, identity.key.as_deref()), ("order.paid", Some("/shop:e1")));
    }
}
