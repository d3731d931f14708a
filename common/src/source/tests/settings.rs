//! Sources as a settings file has them.

use super::{super::*, kit::Asked};
use crate::settings::{Faults, Input, Settings, SettingsFile};

pub(super) fn read(text: &str) -> Result<Vec<Source>, Vec<String>> {
    let file = SettingsFile { path: "lychgate.toml".into(), text: text.to_owned(), private: true };
    let lines = |faults: Faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    let settings = Settings::read(&Input { file: Some(file), ..Input::default() }).map_err(lines)?;
    Ok(from_settings(&settings, &mut Faults::new()))
}

#[test]
fn a_preset_needs_a_name_and_a_secret_and_no_more() {
    let sources = read("[[source]]\nname = \"platform\"\npreset = \"platform\"\nsecrets = [\"test_secret\"]").unwrap();
    let signature = "sha256=d0ca8add29193a055f294d8a2f07fcec6526c8ab7cd960eabe67c97f51c7b8a9";
    let asked = Asked::new(r#"{"event":"user.created","id":"evt_1"}"#, &[("x-platform-signature", signature)]);
    assert!(asked.authentic(&sources[0]).is_ok());
    assert_eq!(sources[0].path().as_str(), "/webhooks/platform");
}

#[test]
fn campuses_have_their_own_secrets() {
    let source = "[[source]]\nname = \"faithflow\"\npreset = \"faithflow\"";
    let key = "[secrets]\nencryption_key = \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n";
    assert!(read(&format!("{key}{source}")).is_ok());
    let faults = read(source).unwrap_err();
    assert!(faults[0].contains("needs secrets.encryption_key"), "{faults:?}");
    let faults = read("[[source]]\nname = \"f\"\npreset = \"faithflow\"\nsecrets = [\"x\"]").unwrap_err();
    assert!(faults[0].contains("lychgate campus"), "{faults:?}");
}

#[test]
fn a_sender_of_ones_own_is_typed_in_whole() {
    let text = r#"
        [[source]]
        name = "ours"
        path = "/in/ours/{shop}"
        secrets = ["whsec_test_secret"]
        key = ["json:/id", "header:Idempotency-Key"]
        type = "json:/object"
        tenant = "path:shop"
        on_conflict = "replay"
        allow = ["192.0.2.0/24"]
        forward = "https://ci.example.com/hooks"
        forward_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        signature = { at = "header:X-Ours", label = "v1", signed = "{ts}.{body}", timestamp = "label:t", past = "1m" }
        reply = { status = 204, body = "" }
    "#;
    let sources = read(text).unwrap();
    let source = &sources[0];
    let header = "t=1700000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
    let mut asked = Asked::new(r#"{"id":"evt_test_webhook","object":"event"}"#, &[("x-ours", header)]);
    asked.params = source.path().matches("/in/ours/nine").unwrap();
    assert!(asked.authentic(source).is_ok());
    let identity = asked.identity(source).unwrap();
    assert_eq!((identity.key.as_deref(), identity.key_signed), (Some("evt_test_webhook"), true));
    assert_eq!((&*identity.kind, &*identity.tenant), ("event", "nine"));
    assert_eq!(asked.at(1_700_000_061).authentic(source), Err(Refused::TimestampStale { tolerance_seconds: 60 }));
    assert_eq!((source.reply().status.as_u16(), source.reply().body(&[], None).len()), (204, 0));
    assert_eq!((source.forward().unwrap().destinations().len(), source.allow().len()), (1, 1));
}

#[test]
fn a_source_may_take_bodies_that_are_no_json() {
    let plain = "[[source]]\nname = \"plain\"\nsecrets = [\"s\"]\n";
    let asked = Asked::new("a=1&b=2", &[("x-webhook-event", "form.sent"), ("idempotency-key", "k")]);
    assert_eq!(asked.identity(&read(plain).unwrap()[0]).unwrap_err().name(), "body_not_json");
    let any = read(&format!("{plain}content_types = \"any\"")).unwrap();
    assert_eq!(&*asked.identity(&any[0]).unwrap().kind, "form.sent");
    assert_eq!(&*Asked::new("plain text", &[]).identity(&any[0]).unwrap().kind, "event");
}

#[test]
fn what_the_houses_own_events_are_called_is_no_sources_name() {
    for name in ["webhooks", "mail"] {
        let faults = read(&format!("[[source]]\nname = {name:?}\nsecrets = [\"s\"]\n")).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("choose another name"), "{faults:?}");
    }
}

#[test]
fn forwarding_needs_a_secret_of_its_own_and_says_how_to_make_one() {
    let with = |lines: &str| read(&format!("[[source]]\nname = \"ci\"\nsecrets = [\"s\"]\n{lines}"));
    let fault = |lines: &str| with(lines).unwrap_err().join("\n");
    let to = "forward = \"https://ci.example.com/hooks\"";
    let secret = "forward_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
    assert!(fault(to).contains("openssl rand -base64 32"));
    assert!(fault(secret).contains("there is no `forward`"));
    assert!(fault(&format!("{to}\nforward_secret = \"plain\"")).contains("must start with `whsec_`"));
    assert!(fault("forward = \"ftp://ci.example.com/\"\nforward_secret = \"x\"").contains("http:// or https://"));
    let source = &with(&format!("{to}\n{secret}\nforward_private = true")).unwrap()[0];
    assert!(source.forward().unwrap().allows_private());
    let long =
        read(&format!("[forward]\ntimeout = \"29s\"\n[[source]]\nname = \"ci\"\nsecrets = \"s\"\n{to}\n{secret}"));
    assert!(long.unwrap_err()[0].contains("forward.timeout"));
}

#[test]
fn every_mistake_is_named_at_its_key() {
    let text = r#"
        [[source]]
        name = "shop"
        preset = "shopfiy"
        [[source]]
        name = "a b"
        secrets = ["s"]
        path = "/events/x"
        signature = { signed = "{ts}", algoritm = "x" }
        key = "jsn:/id"
        [[source]]
        name = "none"
        [[source]]
        name = "short"
        path = "/in/short"
        token = "query:token"
        secrets = ["short"]
        [[source]]
        name = "std"
        preset = "standard-webhooks"
        secrets = ["plain"]
        [[source]]
        name = "one"
        path = "/in/{x}"
        secrets = ["s"]
        [[source]]
        name = "one"
        path = "/in/{y}"
        secrets = ["s"]
    "#;
    let faults = read(text).unwrap_err();
    for part in [
        "source[shop].preset: `shopfiy` is no preset; known are adyen, adyen-platform, asana",
        "source[a b].name: must be at most 64 letters",
        "source[a b].path: /events/x belongs to the gateway itself",
        "signature.signed: the body must be signed",
        "signature.algoritm: is no setting; did you mean `algorithm`?",
        "source[a b].key: `jsn:/id` is no key",
        "source[none].secrets: is missing",
        "source[short].secrets: number 1 stands in the URL as the only credential",
        "source[std].secrets: number 1 must start with `whsec_`",
        "source[one].name: `one` is another source's name already",
        "source[one].path: /in/{y} is the path of source `one` already",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:#?}");
    }
    assert_eq!(faults.len(), 11, "{faults:#?}");
}

#[test]
fn a_path_that_is_taken_is_said_once_at_the_line_that_wrote_it() {
    let text = "[[source]]\nname = \"hand\"\npath = \"/webhooks/platform\"\nsecrets = [\"s\"]\n\
                [[source]]\nname = \"platform\"\npreset = \"platform\"\nsecrets = [\"s\"]\n\
                [[source]]\nname = \"again\"\npreset = \"platform\"\nsecrets = [\"s\"]\n";
    let faults = read(text).unwrap_err();
    let said = [
        "lychgate.toml:3 source[hand].path: /webhooks/platform is the path of source `platform` already",
        "lychgate.toml:9 source[again].path: /webhooks/platform is the path of source `platform` already",
    ];
    assert_eq!(faults, said);
}

#[test]
fn tokens_and_their_keys_are_set_in_a_table() {
    let jwks =
        r#"'{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"}]}'"#;
    let text = format!(
        "[[source]]\nname = \"in\"\npreset = \"internal\"\njwt = {{ issuer = \"us\", audience = \"me\", jwks = {jwks} }}\n\
         [[source]]\nname = \"ai\"\npreset = \"service\"\nservice = \"ai\"\nsecrets = [\"s\"]\ntokens = [\"t\"]\n\
         [[source]]\nname = \"local\"\npath = \"/in/local\"\n\
         jwt = {{ jwks = \"http://127.0.0.1:9/jwks\", jwks_loopback = true }}"
    );
    let sources = read(&text).unwrap();
    let jws = sources[0].profile().verifier.jws().unwrap();
    assert_eq!((jws.keys.len(), jws.algorithms.as_slice()), (1, &JwsAlgorithm::PUBLIC[..]));
    assert_eq!(sources[1].path().as_str(), "/webhooks/services/ai");
    assert!(sources[2].profile().verifier.jws().unwrap().server.is_some());
    for (jwt, fault) in [
        ("{ jwks = \"http://example.com/jwks\" }", "source[in].jwt.jwks: must be https"),
        ("{ jwks = '{\"keys\":[]}' }", "source[in].jwt.jwks: holds no RSA, P-256 or Ed25519 key"),
        ("{ algorithms = [\"none\"] }", "source[in].jwt.algorithms: must be a list of HS256"),
        ("{ algorithms = [\"HS256\"], jwks = \"https://a.example/jwks\" }", "HS256 cannot stand beside `jwks`"),
    ] {
        let text = format!("[[source]]\nname = \"in\"\npreset = \"internal\"\nsecrets = [\"s\"]\njwt = {jwt}");
        let faults = read(&text).unwrap_err();
        assert!(faults.iter().any(|found| found.contains(fault)), "{fault}: {faults:?}");
    }
    assert!(read("[[source]]\nname = \"in\"\npreset = \"internal\"").unwrap_err()[0].contains("secrets: is missing"));
}
