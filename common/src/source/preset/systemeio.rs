//! Systeme.io's settings webhooks: bare hex in `X-Webhook-Signature` over the raw body; type and id in unsigned headers.
//!
//! The documentation describes the HMAC over JSON as PHP writes it. The bytes on the wire already have that form; where
//! something in between has rewritten them, the form is restored and tried as well.
//!
//! A captured request could come back under another id, and neither id nor time is signed. So the same body of the same
//! type under another id counts as a replay for [`GUARD_WINDOW`], and no longer: contacts' bodies hold no time, and a
//! tag that is given, taken and given again says the same both times. The event's time in its header cannot tell the
//! two apart, for whoever forges the id forges the time.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{BodyVariant, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "systemeio", profile, sample };

/// All that the settings page offers. Refunds are `SALE_CANCELED`, too.
const KINDS: &[&str] =
    &["CONTACT_CREATED", "CONTACT_TAG_ADDED", "CONTACT_TAG_REMOVED", "CONTACT_OPT_IN", "SALE_NEW", "SALE_CANCELED"];

/// For how long an equal body under another id is a replay, at least: the tolerance that signed times have with other
/// senders. Longer would swallow more of what really happens twice, and whoever replays on purpose can wait.
pub(super) const GUARD_WINDOW: Duration = Duration::from_secs(5 * 60);

fn profile() -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: true };
    let scheme =
        Scheme { variant: BodyVariant::PhpJson, ..Scheme::hmac_body(Place::header("x-webhook-signature"), form) };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("x-webhook-message-id"))],
            body_guard: true,
            body_guard_window: Some(GUARD_WINDOW),
            kind: KindRule { at: vec![Place::header("x-webhook-event")], known: KINDS, ..KindRule::default() },
            subject: ["/contact/id", "/customer/contactId", "/contact/contact/id"].map(Place::field).to_vec(),
            occurred_at: Some((Place::header("x-webhook-event-timestamp"), TimeForm::Rfc3339)),
            checks: checks(),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/systemio"), Verifier::Signed(scheme))
    }
}

/// Where a contact's address stands: the documentation nests the contact of a removed tag in another.
pub(super) const EMAILS: [&str; 4] =
    ["/contact/email", "/contact/contact/email", "/data/contact/email", "/data/contact/contact/email"];

/// What was bought can be left out; what is told of it must be known by its id, or nobody would get it.
const GIVEN: &[(&str, Shape)] = &[
    ("course", Shape::Optional(&Shape::Id)),
    ("courseBundle", Shape::Optional(&Shape::Id)),
    ("course_bundle", Shape::Optional(&Shape::Id)),
    ("bundle", Shape::Optional(&Shape::Id)),
];

/// What Systeme.io's own events cannot do without: who it is about, which tag, which order.
pub(super) fn checks() -> Vec<Check> {
    let contacts = &["CONTACT_CREATED", "CONTACT_TAG_ADDED", "CONTACT_TAG_REMOVED", "CONTACT_OPT_IN"];
    let tags = ["/tag/id", "/tag/name", "/contact/tag/id", "/contact/tag/name", "/data/tag/id", "/data/tag/name"];
    let sales = &["SALE_NEW", "SALE_CANCELED"];
    let bought =
        ["/orderItem/resources", "/order_item/resources", "/data/orderItem/resources", "/data/order_item/resources"];
    let buyer = ["/customer/email", "/contact/email", "/data/customer/email", "/data/contact/email"];
    vec![
        Check::any_of(contacts, &EMAILS, Shape::Email),
        Check::any_of(&["CONTACT_TAG_ADDED", "CONTACT_TAG_REMOVED"], &tags, Shape::Text),
        Check::any_of(sales, &buyer, Shape::Email),
        Check::any_of(sales, &["/order/id", "/data/order/id"], Shape::Text),
        Check::any_of(sales, &bought, Shape::Optional(&Shape::Objects(GIVEN))),
    ]
}

/// A body of one of the kinds that the settings page offers; `None` for others.
pub(super) fn sample_of_known(draft: &Draft<'_>) -> Option<Value> {
    KINDS.contains(&draft.kind).then(|| sample(draft))
}

fn sample(draft: &Draft<'_>) -> Value {
    let id = draft.subject_or("1");
    if draft.kind.starts_with("SALE_") {
        return json!({
            "customer": {"id": 7, "contactId": id, "email": "jane@example.com", "paymentProcessor": "stripe"},
            "order": {"id": draft.id, "createdAt": draft.time(), "totalPrice": 100, "vat": 0.0},
            "orderItem": {"id": 9, "createdAt": draft.time(), "resources": [{"course": {"id": 680_647}}]},
            "pricePlan": {"id": 3, "name": "Once", "type": "one_shot", "amount": 100, "currency": "eur"},
        });
    }
    let mut body = json!({"contact": {
        "id": id, "email": "jane@example.com", "registeredAt": draft.time(), "locale": "en", "unsubscribed": false,
        "fields": [{"fieldName": "First name", "slug": "first_name", "value": "Jane"}], "tags": [],
    }});
    if draft.kind.contains("_TAG_")
        && let Some(map) = body.as_object_mut()
    {
        map.insert("tag".to_owned(), json!({"id": 12, "name": "Member"}));
    }
    body
}
