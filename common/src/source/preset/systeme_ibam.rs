//! IBAM's memberships and church leaders: signed like Systeme.io's settings webhooks, told in Systeme.io's shapes or in
//! ours.
//!
//! Systeme.io documents no events of their own for either. The shapes that we define stand beside their handlers
//! (`worker/src/handlers/systemeio/{membership,church_leader}.rs`): `{type, id, created_at, data}`. Type, id and time are
//! taken from the headers where Systeme.io sends them, else from the body.

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
    Preset, path, systemeio,
};

pub(super) const MEMBERSHIP: Preset =
    Preset { name: "systeme-membership", profile: membership, sample: sample_membership };
pub(super) const CHURCH_LEADER: Preset =
    Preset { name: "systeme-church-leader", profile: church_leader, sample: sample_church_leader };

/// What a membership service tells, and what Systeme.io tells of those who buy tiers.
const MEMBERSHIP_KINDS: &[&str] = &[
    "SALE_NEW",
    "SALE_CANCELED",
    "CONTACT_TAG_ADDED",
    "CONTACT_TAG_REMOVED",
    "membership.created",
    "membership.activated",
    "membership.renewed",
    "membership.tier_changed",
    "membership.updated",
    "membership.paused",
    "membership.cancelled",
    "membership.expired",
    "subscription.created",
    "subscription.activated",
    "subscription.renewed",
    "subscription.updated",
    "subscription.past_due",
    "subscription.paused",
    "subscription.cancelled",
    "subscription.expired",
    "payment.confirmed",
    "payment.failed",
    "payment.cancelled",
    "payment.refunded",
    "access_level.changed",
];

/// What is told of leaders and of what they lead.
const LEADER_KINDS: &[&str] = &[
    "CONTACT_TAG_ADDED",
    "CONTACT_TAG_REMOVED",
    "organisation.created",
    "organisation.updated",
    "organisation.moved",
    "organisation.removed",
    "church_leader.assigned",
    "church_leader.withdrawn",
    "church_leader.permissions_changed",
];

fn membership() -> Profile {
    profile(MEMBERSHIP.name, "/webhooks/systeme-membership", MEMBERSHIP_KINDS, membership_checks())
}

fn church_leader() -> Profile {
    profile(CHURCH_LEADER.name, "/webhooks/systeme-church-leader", LEADER_KINDS, leader_checks())
}

fn profile(name: &str, at: &'static str, known: &'static [&'static str], own: Vec<Check>) -> Profile {
    let form = SignatureForm::Prefix { prefix: "sha256=".into(), optional: true };
    let scheme =
        Scheme { variant: BodyVariant::PhpJson, ..Scheme::hmac_body(Place::header("x-webhook-signature"), form) };
    Profile {
        naming: Naming {
            json: true,
            // The body's id first: it is signed, and no header may override it.
            key: vec![KeyAt::Place(Place::field("/id")), KeyAt::Place(Place::header("x-webhook-message-id"))],
            // Only Systeme.io's own shapes, which hold no id.
            body_guard: true,
            body_guard_window: Some(systemeio::GUARD_WINDOW),
            kind: KindRule {
                at: vec![Place::header("x-webhook-event"), Place::field("/type")],
                // The header is not signed, so it must not contradict the body.
                agrees_with: Some(Place::field("/type")),
                known,
                ..KindRule::default()
            },
            subject: ["/data/contact/email", "/data/organisation/id", "/contact/id", "/customer/contactId"]
                .map(Place::field)
                .to_vec(),
            occurred_at: Some((Place::header("x-webhook-event-timestamp"), TimeForm::Rfc3339)),
            checks: systemeio::checks().into_iter().chain(own).collect(),
            ..Naming::default()
        },
        ..Profile::new(name, path(at), Verifier::Signed(scheme))
    }
}

fn membership_checks() -> Vec<Check> {
    let told = MEMBERSHIP_KINDS.split_at(4).1;
    let mut checks = vec![Check::any_of(told, &["/data/contact/email", "/data/contact/contact/email"], Shape::Email)];
    checks.extend(Check::all(
        &["membership.created", "membership.activated", "membership.tier_changed"],
        [("/data/membership/tier", Shape::Text)],
    ));
    checks.extend(Check::all(
        &[
            "membership.renewed",
            "membership.updated",
            "membership.paused",
            "membership.cancelled",
            "membership.expired",
        ],
        [("/data/membership", Shape::Object)],
    ));
    checks.extend(Check::all(
        &[
            "subscription.created",
            "subscription.activated",
            "subscription.renewed",
            "subscription.updated",
            "subscription.past_due",
            "subscription.paused",
            "subscription.cancelled",
            "subscription.expired",
        ],
        [("/data/subscription/id", Shape::Text)],
    ));
    checks.extend(Check::all(
        &["payment.confirmed", "payment.failed", "payment.cancelled", "payment.refunded"],
        [("/data/payment/id", Shape::Text)],
    ));
    checks.extend(Check::all(&["payment.confirmed"], [("/data/payment/amount_cents", Shape::Integer)]));
    checks.extend(Check::all(&["access_level.changed"], [("/data/access_level/level", Shape::Text)]));
    checks
}

fn leader_checks() -> Vec<Check> {
    let told = LEADER_KINDS.split_at(2).1;
    let leaders = &["church_leader.assigned", "church_leader.withdrawn", "church_leader.permissions_changed"];
    let emails =
        ["/data/contact/email", "/data/contact/contact/email", "/data/leader/email", "/data/leader/contact/email"];
    let mut checks = vec![
        Check::any_of(told, &["/data/organisation/id", "/data/organization/id"], Shape::Text),
        Check::any_of(leaders, &emails, Shape::Email),
    ];
    checks.extend(Check::all(&["church_leader.assigned", "church_leader.withdrawn"], [("/data/role", Shape::Text)]));
    checks.extend(Check::all(&["church_leader.permissions_changed"], [("/data/permissions", Shape::Texts)]));
    checks
}

fn sample_membership(draft: &Draft<'_>) -> Value {
    if let Some(sale) = systemeio::sample_of_known(draft) {
        return sale;
    }
    envelope(
        draft,
        json!({
            "contact": contact(draft),
            "membership": {"tier": "gold", "started_at": draft.time(), "ends_at": null},
            "subscription": {"id": "sub-1", "plan_id": "3", "plan_name": "Gold", "amount_cents": 1900, "currency": "EUR"},
            "payment": {"id": format!("pay-{}", draft.id), "order_id": "9", "amount_cents": 1900, "currency": "EUR"},
            "access_level": {"level": "leader", "reason": "by hand"},
        }),
    )
}

fn sample_church_leader(draft: &Draft<'_>) -> Value {
    if let Some(tagged) = systemeio::sample_of_known(draft) {
        return tagged;
    }
    let organisation = json!({"id": "church-7", "name": "Grace", "kind": "church", "parent_id": "district-2"});
    if draft.kind.starts_with("organisation.") {
        return envelope(draft, json!({ "organisation": organisation }));
    }
    let data = json!({
        "contact": contact(draft), "role": "pastor", "organisation": organisation,
        "permissions": ["members.read", "courses.assign"], "reason": "elected",
    });
    envelope(draft, data)
}

fn contact(draft: &Draft<'_>) -> Value {
    json!({"email": draft.subject_or("jane@example.com"), "fields": {"first_name": "Jane", "surname": "Doe"}})
}

fn envelope(draft: &Draft<'_>, data: Value) -> Value {
    json!({"type": draft.kind, "id": draft.id, "created_at": draft.time(), "data": data})
}
