//! Amazon SNS over HTTPS: the signature stands in the message, the key in a certificate on one of SNS' own hosts.
//!
//! Anybody with an AWS account can have SNS sign a message, so the topics that are ours must be set (`topics`). A topic's
//! question whether it may send here is answered by visiting the address in it, once it has proven to be one of ours.
//! Raw delivery has no signature, and is not taken: leave it off in the subscription.

use std::{borrow::Cow, time::Duration};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        certificates::Certificates,
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        limits::ContentTypes,
        place::Place,
        profile::Profile,
        sample::Draft,
        time::{Freshness, TimeAt, TimeForm},
        verify::{Certified, CertifiedForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "aws-sns", profile, sample };

/// Retries keep the time of the first; a topic's own policy may go on for hours.
const PAST: Duration = Duration::from_secs(24 * 3600);

/// SNS sends its JSON as plain text.
const CONTENT: &[&str] = &["text/plain", "application/json"];

fn profile() -> Profile {
    let time = TimeAt::Places(vec![Place::field("/Timestamp")]);
    let certified = Certified {
        form: CertifiedForm::Sns { topics: Vec::new() },
        fresh: Freshness { past: PAST, ..Freshness::within(time, TimeForm::Rfc3339) },
        loopback: false,
        certificates: Certificates::default(),
    };
    let noted = |name| {
        let answer = Answer::Fixed(StatusCode::OK, Cow::Borrowed(""));
        HandshakeRule::of_sender(name, Place::field("/Type"), name, answer)
    };
    Profile {
        content_types: ContentTypes::Only(CONTENT),
        handshakes: vec![noted("SubscriptionConfirmation"), noted("UnsubscribeConfirmation")],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/MessageId"))],
            kind: KindRule { at: vec![Place::field("/Type")], known: &["Notification"], ..KindRule::default() },
            tenant: vec![Place::field("/TopicArn")],
            occurred_at: Some((Place::field("/Timestamp"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/sns"), Verifier::Certified(certified))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "Type": draft.kind, "MessageId": draft.id,
        "TopicArn": draft.tenant.unwrap_or("arn:aws:sns:eu-central-1:123456789012:alarms"),
        "Subject": "ALARM", "Message": "The disk is full", "Timestamp": draft.time(), "SignatureVersion": "2",
        "Signature": "", "SigningCertURL": "",
    })
}
