//! Literal vectors of further senders: from their documentation, their libraries, or computed with an independent one.

use super::{
    super::{sign::sign, *},
    kit::{Asked, at, source},
    vectors::proves,
};

#[test]
fn slack() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let headers = [
        ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ("x-slack-request-timestamp", "1531420618"),
    ];
    proves(&source("slack", "8f742231b10e8888abcd99yyyzzz85a5"), Asked::new(body, &headers).at(1_531_420_618));
}

#[test]
fn slack_echoes_a_challenge_as_plain_text() {
    let asked = Asked::new(r#"{"type":"url_verification","challenge":"3eZbrw1a"}"#, &[]);
    let answer = source("slack", "s").handshake(&asked.request()).unwrap();
    assert!(answer.authenticated && answer.content_type.starts_with("text/plain"));
    assert_eq!(answer.body, "3eZbrw1a");
}

#[test]
fn zoom() {
    let headers = [
        ("x-zm-signature", "v0=82ab08e9ce8677cc243a618f1aec7e4377081b89ff6d348694053e77416b3682"),
        ("x-zm-request-timestamp", "1700000000"),
    ];
    proves(&source("zoom", "zoom_secret"), Asked::new(r#"{"event":"meeting.started"}"#, &headers));
}

#[test]
fn zoom_signs_a_token_only_in_an_authentic_request_and_only_a_harmless_one() {
    let source = source("zoom", "zoom_secret");
    let draft = Draft { kind: "x", id: "x", tenant: None, subject: None, at: at(1_700_000_000) };
    let answer = |token: &str, secret: &str| {
        let body = format!(r#"{{"event":"endpoint.url_validation","payload":{{"plainToken":"{token}"}}}}"#);
        let sent = sign(&source, &secret.into(), &draft, Some(body.into()), None).unwrap();
        source.handshake(&Asked::sent(sent, draft.at, &source).request())
    };
    let good = answer("qgg8vlvZRS6UYooatFL8Aw", "zoom_secret").unwrap();
    let encrypted = "46a324cfb7c2ec760e4cd561586a53aadb6fc7561eb8d626d6ee1b71d808b3c0";
    let expected = format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{encrypted}"}}"#);
    assert_eq!(good.body, expected);
    assert_eq!(answer("v0:1700000000:{}", "zoom_secret"), None);
    assert_eq!(answer("qgg8vlvZRS6UYooatFL8Aw", "another"), None);
}

#[test]
fn shopify_linear_and_intercom() {
    let body = r#"{"id":1}"#;
    let shopify = [("x-shopify-hmac-sha256", "plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=")];
    proves(&source("shopify", "shop-secret"), Asked::new(body, &shopify));
    let intercom = [("x-hub-signature", "sha1=23eb32731fe55ac6c45ae49464df448fbb87e7e3")];
    proves(&source("intercom", "shop-secret"), Asked::new(body, &intercom));
    // The vector's body holds no time, which Linear's real ones do.
    let mut profile = (preset::named("linear").unwrap().profile)();
    if let Verifier::Signed(scheme) = &mut profile.verifier {
        scheme.fresh = None;
    }
    let linear = [("linear-signature", "a655bc546aaad270cc204843a9a34d5bdf5ab1d502cbb108a8b655710c2d019d")];
    proves(&Source::new("linear", profile, &["shop-secret".into()]).unwrap(), Asked::new(body, &linear));
}

#[test]
fn paddle_and_typeform() {
    let signature = "ts=1700000000;h1=8289e6d6a07c499541e989ced869a4a6b8b2f3e98f5763af8637de3c34edbc49";
    let asked = Asked::new(r#"{"event_id":"evt_1"}"#, &[("paddle-signature", signature)]);
    proves(&source("paddle", "pdl_secret"), asked);
    let signature = "sha256=DGUYagETBrvywE3eXpx6j2XCowaQHIvELeBHV1IARgg=";
    proves(&source("typeform", "tf_secret"), Asked::new(r#"{"event_id":"x"}"#, &[("typeform-signature", signature)]));
}

#[test]
fn discord() {
    let signature = "68f2d29194fde0b2e8b93faebe90b06aef6295543ac1d3d6c310a7e0b4be3ecb4087dc69062f072232b97cdd5a2c1aa7bb655fd9519e5f6b9c7afd36b9885208";
    let headers = [("x-signature-ed25519", signature), ("x-signature-timestamp", "1614265330")];
    let source = source("discord", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    proves(&source, Asked::new(r#"{"test": 2432232314}"#, &headers).at(1_614_265_330));
    let ping = source.handshake(&Asked::new(r#"{"version":1,"type":0}"#, &[]).request()).unwrap();
    assert_eq!((ping.status.as_u16(), ping.authenticated, ping.body.len()), (204, true, 0));
}

#[test]
fn twilio() {
    let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let asked = Asked::new(body, &[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")]);
    let source = source("twilio", "12345");
    assert!(asked.clone().to("/myapp.php?foo=1&bar=2", Some(url)).authentic(&source).is_ok());
    assert!(
        asked.clone().to("/myapp.php?foo=1&bar=2", Some("https://mycompany.com/myapp.php")).authentic(&source).is_ok()
    );
    assert_eq!(
        asked.clone().to("/", Some("https://mycompany.com/other")).authentic(&source),
        Err(Refused::SignatureWrong)
    );
    assert_eq!(asked.authentic(&source), Err(Refused::PublicUrlUnknown));
}

#[test]
fn sendgrid() {
    let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    let headers = [
        (
            "x-twilio-email-event-webhook-signature",
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
        ),
        ("x-twilio-email-event-webhook-timestamp", "1600112502"),
    ];
    let body = concat!(
        r#"[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]"#,
        "\r\n"
    );
    let source = source("sendgrid", key);
    let asked = Asked::new(body, &headers).at(1_600_112_502);
    let identity = asked.identity(&source).unwrap();
    assert_eq!((&*identity.kind, identity.key_signed), ("dropped", true));
    proves(&source, asked);
}

#[test]
fn hubspot_and_square() {
    let hubspot = [
        ("x-hubspot-signature-v3", "rQEKkaNUiu+1qGF//O/pw4BCzstSqO1PyUnGICmf+7o="),
        ("x-hubspot-request-timestamp", "1700000000000"),
    ];
    let asked = Asked::new(r#"{"example_field":"example_value"}"#, &hubspot)
        .to("/webhook_uri", Some("https://www.example.com/webhook_uri"));
    proves(&source("hubspot-v3", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"), asked);
    let square = [("x-square-hmacsha256-signature", "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=")];
    let asked = Asked::new(r#"{"hello":"world"}"#, &square).to("/webhook", Some("https://example.com/webhook"));
    proves(&source("square", "asdf1234"), asked);
}

#[test]
fn mailgun_signs_its_token_which_is_the_key() {
    let source = source("mailgun", "key-test");
    let body = r#"{"signature":{"timestamp":"1529006854","token":"a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0","signature":"2df0e54f503d31abdc1519117a730ae38748e41e86f9ae25431dbd26059468af"},"event-data":{"event":"opened","id":"x"}}"#;
    let asked = Asked::new(body, &[]).at(1_529_006_900);
    assert!(asked.authentic(&source).is_ok());
    let identity = asked.identity(&source).unwrap();
    assert!(identity.key_signed && identity.key.unwrap().starts_with("a8ce0edb"));
    let forged = Asked::new(&body.replace("a8ce", "b8ce"), &[]).at(1_529_006_900);
    assert_eq!(forged.authentic(&source), Err(Refused::SignatureWrong));
}

#[test]
fn twitch_calendly_workos_and_pagerduty() {
    let twitch = [
        ("twitch-eventsub-message-id", "msg-1"),
        ("twitch-eventsub-message-timestamp", "2023-11-14T22:13:20.123456789Z"),
        (
            "twitch-eventsub-message-signature",
            "sha256=d6e83bd146a61b805978ca18817450dac6f60cd56cd2924589db62e458749edc",
        ),
    ];
    let body = r#"{"subscription":{"type":"channel.follow"}}"#;
    proves(&source("twitch", "s3cre77890ab"), Asked::new(body, &twitch));
    let calendly = "t=1700000000,v1=4501a2772c4fa71e76784d651b0dc1badd08189a6ee1a62d547b35e1038618d3";
    let asked = Asked::new(r#"{"event":"invitee.created"}"#, &[("calendly-webhook-signature", calendly)]);
    proves(&source("calendly", "cal_secret"), asked);
    let workos = "t=1700000000000, v1=d806da38ae442de83448c7d3ad1afc01e78de8358d5790a99065abc059df1da1";
    let asked = Asked::new(r#"{"id":"event_1","event":"user.created"}"#, &[("workos-signature", workos)]);
    proves(&source("workos", "wos_secret"), asked);
    let good = "28f9b2802aff17e019cd564c18902294ce59bf3b5fc87425539ca01ae9f44b1b";
    let pagerduty = format!("v1={},v1={good}", "0".repeat(64));
    let asked = Asked::new(
        r#"{"event":{"id":"01","event_type":"incident.triggered"}}"#,
        &[("x-pagerduty-signature", &pagerduty)],
    );
    proves(&source("pagerduty", "pd_secret"), asked);
}

#[test]
fn systemeio_signs_the_form_that_php_writes() {
    let raw = "{\n  \"contact\": {\"id\": 1, \"sourceURL\": \"https://x.io/p\", \"fields\": [{\"fieldName\": \"Prénom\", \"value\": \"Zoë\"}]}\n}";
    let signature = "71b6d7cd1ad9185539ef9843df1d8e00fec44d0c22ccfc6ce58ca71ee746d866";
    let asked = Asked::new(raw, &[("x-webhook-signature", signature), ("x-webhook-event", "CONTACT_CREATED")]);
    let source = source("systemeio", "webhook-secret");
    assert!(asked.authentic(&source).is_ok());
    let other = Asked::new(&raw.replace("Zoë", "Zoe"), &[("x-webhook-signature", signature)]);
    assert_eq!(other.authentic(&source), Err(Refused::SignatureWrong));
    assert_eq!(asked.identity(&source).unwrap_err().name(), "field_missing", "nobody can be made without an address");
    let whole = Asked::new(
        &raw.replace("\"id\"", "\"email\": \"zoe@x.io\", \"id\""),
        &[("x-webhook-event", "CONTACT_CREATED")],
    );
    let identity = whole.identity(&source).unwrap();
    assert_eq!((&*identity.kind, identity.subject.as_deref()), ("CONTACT_CREATED", Some("1")));
}

#[test]
fn memberships_and_leaders_are_signed_like_systemeio_and_named_by_body_or_headers() {
    let signature = "71b6d7cd1ad9185539ef9843df1d8e00fec44d0c22ccfc6ce58ca71ee746d866";
    let php = r#"{"contact":{"id":1,"sourceURL":"https:\/\/x.io\/p","fields":[{"fieldName":"Pr\u00e9nom","value":"Zo\u00eb"}]}}"#;
    for name in ["systeme-membership", "systeme-church-leader"] {
        let source = source(name, "webhook-secret");
        let headers = [
            ("x-webhook-signature", signature),
            ("x-webhook-event", "CONTACT_BOUNCED"),
            ("x-webhook-message-id", "m1"),
        ];
        let asked = Asked::new(php, &headers);
        assert!(asked.authentic(&source).is_ok(), "{name}");
        let identity = asked.identity(&source).unwrap();
        assert_eq!((&*identity.kind, identity.key.as_deref()), ("CONTACT_BOUNCED", Some("m1")));
        let own = r#"{"type":"membership.created","id":"a","data":{"contact":{"email":"a@b.c"},"membership":{"tier":"gold"}}}"#;
        let identity = Asked::new(own, &[("x-webhook-message-id", "m1")]).identity(&source).unwrap();
        assert_eq!((&*identity.kind, identity.key.as_deref()), ("membership.created", Some("a")));
        assert_eq!((identity.key_signed, identity.subject.as_deref()), (true, Some("a@b.c")));
        let torn = Asked::new(own, &[("x-webhook-event", "membership.expired")]);
        assert_eq!(torn.identity(&source).unwrap_err().name(), "kind_mismatch");
    }
}

#[test]
fn tokens_prove_the_caller_only() {
    let gitlab = source("gitlab-token", "tok");
    let asked =
        Asked::new("{}", &[("x-gitlab-token", "tok"), ("x-gitlab-event", "Push Hook"), ("idempotency-key", "k")]);
    assert!(asked.authentic(&gitlab).is_ok());
    assert!(!asked.identity(&gitlab).unwrap().body_guard, "who captured the request has the token");
    let body =
        r#"{"type":"contact.course.enrolled","data":{"contact":{"id":1}},"created_at":"2026-09-27T19:57:41+00:00"}"#;
    let automation = source("systemeio-automation", "p3Vd0c6m8kQyHqXbZ1sT7w");
    let asked = Asked::new(body, &[]).to("/in?token=p3Vd0c6m8kQyHqXbZ1sT7w", None).at(1_790_000_000);
    assert!(asked.authentic(&automation).is_ok());
}

#[test]
fn public_key_senders_verify_what_their_private_half_signs() {
    let draft = Draft { kind: "ENTITLEMENT_CREATE", id: "e1", tenant: None, subject: None, at: at(1_700_000_000) };
    let seed: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    let discord = source("discord", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    let sent = sign(&discord, &seed.as_str().into(), &draft, None, None).unwrap();
    let asked = Asked::sent(sent, draft.at, &discord);
    assert!(asked.authentic(&discord).is_ok());
    assert_eq!(&*asked.identity(&discord).unwrap().kind, "ENTITLEMENT_CREATE");

    let standard = source("standard-webhooks", "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
    let sent =
        sign(&standard, &"whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into(), &draft, None, None).unwrap();
    assert!(sent.headers["webhook-signature"].to_str().unwrap().starts_with("v1a,"));
    assert!(Asked::sent(sent, draft.at, &standard).authentic(&standard).is_ok());
}
