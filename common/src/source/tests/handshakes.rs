//! Challenges and probes: answered to the letter where they are right, and never a help to anybody else.

use hyper::Method;

use super::{
    super::*,
    kit::{Asked, source},
    settings::read,
};

fn asked(method: Method, uri: &str, headers: &[(&str, &str)]) -> Asked {
    Asked { method, ..Asked::new("", headers).to(uri, None) }
}

fn greeted(source: &Source, asked: &Asked) -> Option<Result<Handshake, Refused>> {
    source.greeting(&asked.request())
}

fn refusal(source: &Source, asked: &Asked) -> (u16, &'static str) {
    let refused = greeted(source, asked).unwrap().unwrap_err();
    (refused.status().as_u16(), refused.name())
}

fn meta(tokens: &[&str]) -> Source {
    let mut profile = (preset::named("meta").unwrap().profile)();
    profile.verify_tokens = tokens.iter().map(|token| (*token).into()).collect();
    Source::new("meta", profile, &["app-secret".into()]).unwrap()
}

#[test]
fn meta_s_challenge_is_echoed_for_a_verify_token_and_for_nothing_else() {
    let source = meta(&["old-verify-token", "verify-token"]);
    let ask = |token: &str, challenge: &str| {
        let uri = format!("/in?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
        asked(Method::GET, &uri, &[])
    };
    let answer = greeted(&source, &ask("verify-token", "1158201444")).unwrap().unwrap();
    assert_eq!((answer.status.as_u16(), answer.content_type), (200, "text/plain; charset=utf-8"));
    assert!(answer.authenticated && answer.body == "1158201444");
    assert_eq!(refusal(&source, &ask("app-secret", "1")), (403, "verify_token_wrong"));
    assert_eq!(refusal(&source, &ask("", "1")), (403, "verify_token_wrong"));
    assert_eq!(refusal(&meta(&[]), &ask("verify-token", "1")), (403, "verify_token_unset"));
    assert_eq!(refusal(&source, &ask("verify-token", "")), (400, "challenge_unfit"));
    assert_eq!(refusal(&source, &ask("verify-token", &"1".repeat(1025))), (400, "challenge_unfit"));
    assert_eq!(refusal(&source, &ask("verify-token", "a%0Ab")), (400, "challenge_unfit"));
    assert!(greeted(&source, &asked(Method::GET, "/in?hub.mode=unsubscribe", &[])).is_none());
    assert!(greeted(&source, &Asked { method: Method::POST, ..ask("verify-token", "1") }).is_none());
}

#[test]
fn x_s_challenge_is_signed_unless_it_could_be_an_event() {
    let source = source("x", "consumer-secret");
    let ask = |token: &str| asked(Method::GET, &format!("/in?crc_token={token}"), &[]);
    let answer = greeted(&source, &ask("MGY3YWFmNDItMzYzYi00YTEyLWI3YjAtNjBhN2YxZDg4NjMw")).unwrap().unwrap();
    assert_eq!(answer.body, r#"{"response_token":"sha256=nrwaWubeVm9NjNzYQgg3ZU29WQ9iEXvcQfp3W+LraEY="}"#);
    for event in ["%7B%22for_user_id%22%3A1%7D", "[1]", "%22text%22", "a%20b", "a.b"] {
        assert_eq!(refusal(&source, &ask(event)), (400, "challenge_unfit"), "{event}");
    }
}

#[test]
fn microsoft_graph_s_token_is_echoed_to_those_who_know_the_secret_of_the_url() {
    let source = source("microsoft-graph", "p3Vd0c6m8kQyHqXbZ1sT7w");
    let challenge = "validationToken=Validation%3a+%3Cb%3E1%3C/b%3E";
    let ask = |token: &str| asked(Method::POST, &format!("/in?token={token}&{challenge}"), &[]);
    let answer = greeted(&source, &ask("p3Vd0c6m8kQyHqXbZ1sT7w")).unwrap().unwrap();
    assert_eq!(answer.body, "Validation: <b>1</b>");
    assert!(answer.content_type.starts_with("text/plain"), "never a page");
    assert_eq!(refusal(&source, &ask("guess")), (403, "verify_token_wrong"));
}

#[test]
fn dropbox_trello_woocommerce_and_asana_are_answered_before_they_sign_anything() {
    let dropbox = source("dropbox", "s");
    assert_eq!(greeted(&dropbox, &asked(Method::GET, "/in?challenge=abc", &[])).unwrap().unwrap().body, "abc");
    assert!(greeted(&dropbox, &asked(Method::POST, "/in?challenge=abc", &[])).is_none());

    let trello = source("trello", "s");
    assert_eq!(greeted(&trello, &asked(Method::HEAD, "/in", &[])).unwrap().unwrap().status.as_u16(), 200);
    assert!(trello.greets(&Method::HEAD) && !trello.greets(&Method::GET));

    let form = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    let woo = source("woocommerce", "s");
    assert!(greeted(&woo, &asked(Method::POST, "/in", &[form])).unwrap().is_ok());
    assert!(greeted(&woo, &asked(Method::POST, "/in", &[form, ("x-wc-webhook-signature", "x")])).is_none());
    assert!(greeted(&woo, &asked(Method::POST, "/in", &[("content-type", "application/json")])).is_none());

    let asana = source("asana", "s");
    let secret = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    let answer = greeted(&asana, &asked(Method::POST, "/in", &[("x-hook-secret", secret)])).unwrap().unwrap();
    assert_eq!((answer.headers[0].0.as_str(), answer.headers[0].1.to_str().unwrap()), ("x-hook-secret", secret));
    assert_eq!(refusal(&asana, &asked(Method::POST, "/in", &[("x-hook-secret", "a; b")])), (400, "challenge_unfit"));
}

#[test]
fn a_sender_of_cloudevents_is_told_that_it_may_send() {
    let source = source("cloudevents", "p3Vd0c6m8kQyHqXbZ1sT7w");
    let origin = ("webhook-request-origin", "eventemitter.example.com");
    let answer = greeted(&source, &asked(Method::OPTIONS, "/in", &[origin])).unwrap().unwrap();
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let allowed = [("webhook-allowed-origin", origin.1), ("webhook-allowed-rate", "*"), ("allow", "POST")];
    assert_eq!(headers, allowed);
    assert!(greeted(&source, &asked(Method::OPTIONS, "/in", &[])).is_none());
}

#[test]
fn discord_pings_twice_in_two_ways_and_an_event_is_no_ping() {
    let source = source("discord", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    let answer = |body: &str| source.handshake(&Asked::new(body, &[]).request());
    assert_eq!(answer(r#"{"type":0}"#).unwrap().status.as_u16(), 204);
    let interaction = answer(r#"{"type":1,"id":"7"}"#).unwrap();
    assert_eq!((interaction.content_type, &interaction.body[..]), (JSON, &br#"{"type":1}"#[..]));
    assert_eq!(answer(r#"{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}"#), None);
}

#[test]
fn a_sender_of_one_s_own_has_the_handshakes_that_are_typed() {
    let source = read(
        r#"
        [[source]]
        name = "own"
        path = "/in"
        public_url = "https://hooks.example.com/a/in?x=1"
        secrets = ["s"]
        verify_token = ["verify-token"]
        split_at = "/items"
        [[source.handshake]]
        method = "GET"
        when = "query:mode"
        equals = "subscribe"
        verify = "query:token"
        echo = "query:challenge"
        [[source.handshake]]
        method = "HEAD"
        [[source.handshake]]
        when = "json:/kind"
        equals = "hello"
        status = 202
        body = '{"hello":true}'
        "#,
    )
    .unwrap()
    .remove(0);
    assert_eq!(source.public_url(), Some("https://hooks.example.com/a/in?x=1"));
    let ask = |token: &str| asked(Method::GET, &format!("/in?mode=subscribe&token={token}&challenge=c"), &[]);
    assert_eq!(greeted(&source, &ask("verify-token")).unwrap().unwrap().body, "c");
    assert_eq!(refusal(&source, &ask("verify")), (403, "verify_token_wrong"));
    assert!(greeted(&source, &asked(Method::HEAD, "/in", &[])).unwrap().is_ok());
    let hello = Asked::new(r#"{"kind":"hello"}"#, &[]);
    assert!(greeted(&source, &hello).is_none(), "it stands in the body, so its sender must be known first");
    let answer = source.handshake(&hello.request()).unwrap();
    assert_eq!((answer.status.as_u16(), answer.content_type), (202, JSON));
}

#[test]
fn a_handshake_that_would_swallow_events_or_help_strangers_is_a_mistake() {
    for (more, fault) in [
        ("[[source.handshake]]\necho = \"query:x\"", "handshake.when: is missing: every event would be taken"),
        ("[[source.handshake]]\nwhen = \"json:/x\"\nopen = true", "handshake.when: stands in the body"),
        ("[[source.handshake]]\nmethod = \"BREW\"", "handshake.method: must be one of"),
        ("[[source.handshake]]\nwhen = \"query:x\"\necho = \"query:x\"\nbody = \"x\"", "handshake.echo: stands beside"),
        ("verify_token = \"12345678\"", "verify_token: is not used"),
        ("public_url = \"hooks.example.com\"", "public_url: must be the whole https URL"),
        ("path = \"/in/{x}\"\npublic_url = \"https://a.example/in/1\"", "public_url: is one address, and /in/{x}"),
        ("split_at = \"items\"", "split_at: `items` is no pointer"),
    ] {
        let faults = read(&format!("[[source]]\nname = \"own\"\nsecrets = [\"s\"]\n{more}")).unwrap_err();
        assert!(faults.iter().any(|found| found.contains(fault)), "{fault}: {faults:?}");
    }
    let short = "[[source]]\nname = \"m\"\npreset = \"meta\"\nsecrets = [\"s\"]\nverify_token = \"short\"";
    assert!(read(short).unwrap_err()[0].contains("verify_token: must have at least 8 characters"));
}
