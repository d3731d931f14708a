//! Xero: `x-xero-signature`, base64 over the body, whose list of events may be empty ("intent to receive").
//!
//! Xero wants 200 and nothing else for what it has signed, and 401 for what it has signed wrongly, on purpose. Events have
//! no id: an equal event of the same time is the same one.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        pointer::Pointer,
        profile::Profile,
        reply::{Reply, ReplyBody},
        sample::Draft,
        split::Split,
        time::TimeForm,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "xero", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        ..Scheme::hmac_body(Place::header("x-xero-signature"), SignatureForm::Bare)
    };
    Profile {
        naming: Naming {
            json: true,
            split: Some(Split::at(Pointer::literal("/events"))),
            key: vec![KeyAt::BodyHashIf(Place::field("/eventDateUtc"))],
            kind: KindRule {
                at: vec![Place::field("/eventCategory")],
                suffix: Some(Place::field("/eventType")),
                ..KindRule::default()
            },
            tenant: vec![Place::field("/tenantId")],
            subject: vec![Place::field("/resourceId")],
            occurred_at: Some((Place::field("/eventDateUtc"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        reply: Reply {
            content_type: "text/plain".into(),
            body: ReplyBody::Fixed(bytes::Bytes::new()),
            ..Reply::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/xero"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let (category, kind) = draft.kind.split_once('.').unwrap_or((draft.kind, "UPDATE"));
    json!({
        "events": [{
            "resourceId": draft.subject_or("717f2bfc-c6d4-41fd-b238-3f2f0c0cf777"), "eventCategory": category,
            "eventType": kind, "eventDateUtc": draft.time(), "tenantId": draft.tenant.unwrap_or("c2cc9b6e-9458-4c7d-93cc-f02b81b0594f"),
            "tenantType": "ORGANISATION",
        }],
        "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "S0m3r4Nd0mt3xt",
    })
}
