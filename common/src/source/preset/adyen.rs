//! Adyen's payment webhooks: each item is signed by itself, over eight of its fields, with a key written in hex.
//!
//! The signature stands in the item and covers nothing else of it: what is signed is the key, so whoever changes the rest
//! of a captured item meets a conflict. Adyen takes a delivery as accepted by the body `[accepted]`.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        key::KeyForm,
        place::Place,
        pointer::Pointer,
        profile::Profile,
        reply::{Reply, ReplyBody},
        sample::Draft,
        split::Split,
        template::{Piece, Template},
        time::TimeForm,
        verify::{Each, Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "adyen", profile, sample };

/// The balance platform and the other newer webhooks: one signature over the whole body, in a header.
pub(super) const PLATFORM: Preset = Preset { name: "adyen-platform", profile: platform, sample: platform_sample };

const SIGNATURE: &str = "/notificationItems/0/NotificationRequestItem/additionalData/hmacSignature";

/// What is signed, in this order, joined by `:`, and nothing in the place of what is not there; as Adyen's libraries do.
const SIGNED: [&str; 8] = [
    "/pspReference",
    "/originalReference",
    "/merchantAccountCode",
    "/merchantReference",
    "/amount/value",
    "/amount/currency",
    "/eventCode",
    "/success",
];

fn items() -> Split {
    Split::at(Pointer::literal("/notificationItems")).within(Pointer::literal("/NotificationRequestItem"))
}

fn profile() -> Profile {
    let mut pieces = Vec::new();
    for field in SIGNED {
        if !pieces.is_empty() {
            pieces.push(Piece::text(":"));
        }
        pieces.push(Piece::FieldOrNothing(Pointer::literal(field)));
    }
    let scheme = Scheme {
        encoding: Encoding::Base64,
        signed: Template::of(pieces),
        each: Some(Each { split: items(), signature: Place::field("/additionalData/hmacSignature") }),
        ..Scheme::hmac_body(Place::field(SIGNATURE), SignatureForm::Bare)
    };
    Profile {
        key_form: KeyForm::Hex,
        naming: Naming {
            json: true,
            split: Some(items()),
            key: vec![KeyAt::Joined(["/pspReference", "/eventCode", "/success"].map(Place::field).to_vec())],
            kind: KindRule { at: vec![Place::field("/eventCode")], ..KindRule::default() },
            tenant: vec![Place::field("/merchantAccountCode")],
            subject: vec![Place::field("/originalReference"), Place::field("/pspReference")],
            occurred_at: Some((Place::field("/eventDate"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/pspReference"))],
            ..Naming::default()
        },
        reply: Reply {
            content_type: "text/plain".into(),
            body: ReplyBody::Fixed(bytes::Bytes::from_static(b"[accepted]")),
            ..Reply::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/adyen"), Verifier::Signed(scheme))
    }
}

fn platform() -> Profile {
    let scheme =
        Scheme { encoding: Encoding::Base64, ..Scheme::hmac_body(Place::header("hmacsignature"), SignatureForm::Bare) };
    Profile {
        key_form: KeyForm::Hex,
        naming: Naming {
            json: true,
            // There is no id; Adyen's own retries are the same bytes.
            key: vec![KeyAt::BodyHash],
            kind: KindRule { at: vec![Place::field("/type")], ..KindRule::default() },
            subject: vec![Place::field("/data/id")],
            ..Naming::default()
        },
        ..Profile::new(PLATFORM.name, path("/webhooks/adyen-platform"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let item = json!({
        "additionalData": {"hmacSignature": ""}, "amount": {"value": 1130, "currency": "EUR"},
        "pspReference": draft.id, "eventCode": draft.kind, "eventDate": draft.time(), "success": "true",
        "merchantAccountCode": draft.tenant.unwrap_or("TestMerchant"), "merchantReference": draft.subject_or("order-7"),
        "paymentMethod": "visa", "reason": "033899:1111:03/2030",
    });
    json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
}

fn platform_sample(draft: &Draft<'_>) -> Value {
    json!({
        "type": draft.kind, "environment": "test", "timestamp": draft.time(),
        "data": {"id": draft.subject_or("BA00000000000000000000001"), "reference": draft.id},
    })
}
