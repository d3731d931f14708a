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

const OWN: &str = "the list is the user's own affair";
const FAMILY: &str = "its senders take only 2xx for a success, and give an endpoint up in the end";
const BATCH: &str = "one refused element would hold up all others of its request";

/// Preset, policy, reason.
const POLICY: [(&str, Unknown, &str); 60] = [
    ("adyen", Taken, FORWARDED),
    ("adyen-platform", Taken, FORWARDED),
    ("asana", Taken, FORWARDED),
    ("aws-sns", Taken, "SNS has three types, and what a topic means stands in the message"),
    ("bearer-jwt", Taken, OWN),
    ("calendly", Taken, FORWARDED),
    ("canvas", Taken, "Canvas switches a subscription off over errors, and sends all types of a stream"),
    ("clerk", Taken, FAMILY),
    ("cloudevents", Taken, OWN),
    ("discord", Taken, FORWARDED),
    ("doppler", Taken, FORWARDED),
    ("dropbox", Untyped, "a notification says whose files changed, and no more"),
    ("faithflow", No, "document B lists the types, and answers 400"),
    ("generic", Taken, OWN),
    ("github", Taken, "GitHub does not try again: a refused event would be lost, and it adds types and actions"),
    ("gitlab-signed", Taken, "GitLab disables a hook that fails"),
    ("gitlab-token", Taken, "GitLab disables a hook that fails"),
    ("hubspot-v3", Taken, BATCH),
    ("intercom", Taken, FORWARDED),
    ("internal", No, "our own systems: a type that is not on the list is a mistake there, and should be seen at once"),
    ("lemonsqueezy", Taken, FORWARDED),
    ("linear", Taken, FORWARDED),
    ("lti", No, "document C: 400 `Unknown event type`, in its own dialect"),
    ("mailgun", Taken, FORWARDED),
    ("meta", Taken, FORWARDED),
    ("microsoft-graph", Taken, BATCH),
    ("moodle", Taken, "Moodle reports every event there is, and its plugin does not ask which of them we want"),
    ("openai", Taken, FAMILY),
    ("paddle", Taken, FORWARDED),
    ("pagerduty", Taken, FORWARDED),
    ("paypal", Taken, "PayPal tries for three days, and sends every type that was ticked"),
    ("plaid", Taken, FORWARDED),
    ("platform", Taken, "document D names no answer; a refusal would be tried five times, and then the event is lost"),
    ("polar", Taken, FAMILY),
    ("razorpay", Taken, FORWARDED),
    ("resend", Taken, FAMILY),
    ("saleor", Taken, FORWARDED),
    ("sanity", Taken, FORWARDED),
    ("sendgrid", Taken, BATCH),
    ("service", Taken, "document C prescribes no refusal; a service may tell more than we asked for"),
    ("shopify", Taken, "Shopify deletes a subscription after eight refusals"),
    ("slack", Taken, FORWARDED),
    ("social-share", Untyped, "a share is a share"),
    ("square", Taken, FORWARDED),
    ("standard-webhooks", Taken, FAMILY),
    ("stripe", Taken, "Stripe sends what it likes, and tries for three days"),
    ("svix", Taken, FAMILY),
    ("systeme-church-leader", Taken, "the shapes are ours, but Systeme.io's own webhooks come here, too"),
    ("systeme-membership", Taken, "the shapes are ours, but Systeme.io's own webhooks come here, too"),
    ("systemeio", Taken, "any event about a contact completes the user, known or not"),
    ("systemeio-automation", Taken, "only one type's name is documented; the others are read by their words"),
    ("trello", Taken, FORWARDED),
    ("twilio", Untyped, "a callback's type is its address"),
    ("twitch", Taken, FORWARDED),
    ("typeform", Taken, FORWARDED),
    ("woocommerce", Taken, FORWARDED),
    ("workos", Taken, FORWARDED),
    ("x", Untyped, "an activity's type is the name of one of its fields"),
    ("xero", Taken, BATCH),
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
    let mut breaches = Vec::new();
    for preset in preset::ALL {
        let Some((name, policy, why)) = POLICY.iter().find(|(name, ..)| *name == preset.name) else {
            breaches
                .push(format!("{}: missing in this list; say what becomes of an unknown type, and why", preset.name));
            continue;
        };
        let (source, asked) = unheard(preset);
        let kind = source.identify(&asked.request()).map(|events| events[0].kind.to_string());
        let held = match (policy, &kind) {
            (No, Err(refused)) => *refused == Refused::KindUnknown,
            (Taken, Ok(kind)) => kind.contains("never_heard_of"),
            (Untyped, Ok(kind)) => !kind.contains("never_heard_of"),
            (No | Taken | Untyped, _) => false,
        };
        // What `lychgate check` says.
        if !held || source.profile().naming.kind.only_known != (*policy == No) {
            breaches.push(format!("{name} is {policy:?}, because {why}; found {kind:?}"));
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
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
