//! What becomes of an event type that nobody has heard of: one line for each preset, with its reason.
//!
//! 400 where the document says so or the list is our own; else it is taken, and ignored unless it is forwarded, because
//! most senders switch an endpoint off that refuses what they send.

use super::{super::*, kit::Asked};

/// What is done with an unknown type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unknown {
    /// 400.
    Refused,
    /// Accepted; the handler, where there is one, ignores it.
    Taken,
    /// There are no types: whatever comes is one.
    None,
}
use Unknown::{None as Untyped, Refused as No, Taken};

const FORWARDED: &str = "we have no handler that would need a list; the sender may add types before we know them";

/// Preset, policy, reason.
const POLICY: [(&str, Unknown, &str); 36] = [
    ("calendly", Taken, FORWARDED),
    ("canvas", Taken, "Canvas switches a subscription off over errors, and sends all types of a stream"),
    ("discord", Taken, "Discord takes the address away from an application that refuses"),
    ("faithflow", No, "document B lists the types, and answers 400"),
    ("generic", Taken, "the list is the user's own affair"),
    ("github", Taken, "GitHub shows refusals as failures of a hook, and adds types and actions"),
    ("gitlab-token", Taken, "GitLab disables a hook that fails four times"),
    ("hubspot-v3", Taken, FORWARDED),
    ("intercom", Taken, FORWARDED),
    ("internal", No, "our own systems: a type that is not on the list is a mistake there, and should be seen at once"),
    ("linear", Taken, "Linear disables a hook that does not answer 200"),
    ("lti", No, "document C: 400 `Unknown event type`, in its own dialect"),
    ("mailgun", Taken, FORWARDED),
    ("moodle", Taken, "Moodle reports every event there is, and its plugin cannot be told which"),
    ("paddle", Taken, FORWARDED),
    ("pagerduty", Taken, "PagerDuty disables an endpoint that refuses"),
    ("platform", Taken, "document D names no answer; a refusal would be tried five times, and then the event is lost"),
    ("resend", Taken, "Svix disables an endpoint that refuses for five days"),
    ("sendgrid", Taken, "one refused element would hold up an array of others for a day"),
    ("service", Taken, "document C prescribes none; a service may tell more than we asked for"),
    ("shopify", Taken, "Shopify deletes a subscription after eight refusals"),
    ("slack", Taken, "Slack disables event subscriptions that fail in 95 % of an hour"),
    ("social-share", Untyped, "a share is a share"),
    ("square", Taken, FORWARDED),
    ("standard-webhooks", Taken, "its senders disable an endpoint that refuses"),
    ("stripe", Taken, "Stripe sends what it likes, tries for three days, and disables the endpoint"),
    ("svix", Taken, "Svix disables an endpoint that refuses for five days"),
    ("systeme-church-leader", Taken, "the shapes are ours, but the same webhooks of Systeme.io come here, too"),
    ("systeme-membership", Taken, "the shapes are ours, but the same webhooks of Systeme.io come here, too"),
    ("systemeio", Taken, "any event about a contact completes the user, known or not"),
    ("systemeio-automation", Taken, "only one type's name is documented; the others are read by their words"),
    ("twilio", Untyped, "a callback's type is its address"),
    ("twitch", Taken, "Twitch revokes a subscription that fails"),
    ("typeform", Taken, FORWARDED),
    ("workos", Taken, FORWARDED),
    ("zoom", Taken, FORWARDED),
];

const STRANGE: &str = "thing.never_heard_of";

/// A request of this preset with a type that nobody has heard of; how it would be authenticated is no matter here.
fn unheard(preset: &preset::Preset) -> (Source, Asked) {
    let mut profile = (preset.profile)();
    profile.verifier = (preset::GENERIC.profile)().verifier;
    profile.keys_by_tenant = false;
    profile.key_form = KeyForm::Text;
    let at = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let draft = Draft { kind: STRANGE, id: "msg_1", tenant: None, subject: None, at };
    let body = sample::body(preset.name, &draft);
    let mut asked = Asked::new("", &[]);
    for place in &profile.naming.kind.at {
        if let Place::Header(name) = place {
            asked.headers.insert(name, STRANGE.parse().unwrap());
        }
    }
    asked.body = body;
    (Source::new(preset.name, profile, &["secret".into()]).unwrap(), asked)
}

#[test]
fn every_preset_has_its_policy_for_unknown_types() {
    for preset in preset::ALL {
        let Some((_, policy, why)) = POLICY.iter().find(|(name, ..)| *name == preset.name) else {
            panic!("{} is missing in this list: say what becomes of an unknown type, and why", preset.name);
        };
        let (source, asked) = unheard(preset);
        let kinds = source.identify(&asked.request()).map(|events| events[0].kind.to_string());
        match policy {
            No => assert_eq!(kinds.unwrap_err(), Refused::KindUnknown, "{}: {why}", preset.name),
            Taken => assert!(kinds.as_ref().unwrap().contains("never_heard_of"), "{}: {kinds:?}; {why}", preset.name),
            Untyped => assert!(!kinds.as_ref().unwrap().contains("never_heard_of"), "{}: {kinds:?}", preset.name),
        }
        let only_known = source.profile().naming.kind.only_known;
        assert_eq!(only_known, *policy == No, "{}: `lychgate check` says otherwise", preset.name);
    }
    assert_eq!(POLICY.len(), preset::ALL.len(), "a preset that is no more");
}

#[test]
fn on_the_route_of_document_c_canvas_and_moodle_may_tell_what_nobody_asked_for() {
    let source = unheard(preset::named("lti").unwrap()).0;
    let kind = |body: &str| Asked::new(body, &[]).identity(&source).map(|identity| identity.kind.to_string());
    assert_eq!(kind(r#"{"event_name":"logged_in","body":{}}"#), Ok("logged_in".to_owned()));
    assert_eq!(kind(r#"{"metadata":{"event_name":"quiz_submitted"},"body":{}}"#), Ok("quiz_submitted".to_owned()));
    let viewed = r"\core\event\course_viewed";
    assert_eq!(kind(r#"{"eventname":"\\core\\event\\course_viewed"}"#), Ok(viewed.to_owned()));
    assert_eq!(kind(r#"{"type":"test.event","data":{"message":"test"}}"#), Err(Refused::KindUnknown));
}
