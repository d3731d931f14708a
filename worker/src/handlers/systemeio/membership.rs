//! Memberships: tiers, subscriptions, payments, access levels, each with its history.
//!
//! Two kinds of events come here. Systeme.io's own (sales, cancellations, tags) count where the catalogue says that a
//! price plan or tag means a tier. A membership service's events have this shape, which we define, for Systeme.io
//! documents none:
//!
//! ```json
//! {"type": "membership.tier_changed", "id": "m-1", "created_at": "2026-09-27T19:57:41Z", "data": {
//!   "contact":      {"email": "jane@example.com", "fields": {"first_name": "Jane"}},
//!   "membership":   {"tier": "gold", "started_at": "…", "ends_at": null},
//!   "subscription": {"id": "sub-1", "plan_id": "3", "plan_name": "Gold", "amount_cents": 1900, "currency": "EUR",
//!                    "started_at": "…", "current_period_end": "…"},
//!   "payment":      {"id": "pay-1", "order_id": "9", "amount_cents": 1900, "currency": "EUR"},
//!   "access_level": {"level": "leader", "reason": "by hand", "until": null}}}
//! ```
//! with the types `membership.` created, activated, renewed, tier_changed, updated, paused, cancelled, expired;
//! `subscription.` created, activated, renewed, updated, past_due, paused, cancelled, expired; `payment.` confirmed,
//! failed, cancelled, refunded; `access_level.changed`. Of `data`, `contact` and what the type is named after are needed.

use jiff::Timestamp;
use lychgate_common::{change::Change, row};

use super::{
    catalogue::Catalogue,
    contact::Contact,
    sale::Sale,
    subscription,
    tables::{ACCESS_LEVEL_HISTORY, ACCESS_LEVELS, MEMBERSHIP_HISTORY, MEMBERSHIPS, PAYMENT_HISTORY, PAYMENTS},
    told::{Happened, Stamp, Told},
};
use crate::{handler::Failure, handlers::fields::Fields};

/// The reason of a membership that the sender tells of in so many words.
const BY_SENDER: &str = "membership";
/// What is said of a membership.
struct Said<'a> {
    via: &'a str,
    status: &'static str,
    tier: Option<String>,
    started_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

/// A membership service's event.
///
/// # Errors
/// Permanent, for what is missing or wrong. `Ok(None)` for a type we have no use for.
pub(super) fn told(
    stamp: &Stamp<'_>,
    contact: &Contact,
    data: &Fields<'_>,
    catalogue: &Catalogue,
) -> Result<Option<Vec<Change>>, Failure> {
    let kind = stamp.event.kind.to_lowercase();
    let changes = match kind.split_once('.') {
        Some(("membership", step)) => {
            let status = match step {
                "created" | "activated" | "renewed" | "tier_changed" | "updated" => "active",
                "paused" => "paused",
                "cancelled" | "canceled" => "cancelled",
                "expired" => "expired",
                _ => return Ok(None),
            };
            let of = data.object("membership")?;
            let tier = match (status, step) {
                ("active", "created" | "activated" | "tier_changed") => Some(of.text("tier")?),
                (_, _) => of.optional_text("tier")?,
            };
            let said = Said {
                via: BY_SENDER,
                status,
                tier: tier.map(|tier| tier.trim().to_lowercase()),
                started_at: of.optional_time("started_at")?,
                ends_at: of.optional_time("ends_at")?,
            };
            membership(stamp, contact, &said, catalogue)
        }
        Some(("subscription", step)) => match subscription::told(stamp, contact, data, step)? {
            Some(changes) => changes,
            None => return Ok(None),
        },
        Some(("payment", step)) => match payment(stamp, contact, data, step)? {
            Some(changes) => changes,
            None => return Ok(None),
        },
        Some(("access_level", "changed")) => {
            let of = data.object("access_level")?;
            let reason = of.optional_text("reason")?.unwrap_or_else(|| "by the sender's word".to_owned());
            access(stamp, contact, "direct", &of.text("level")?, &reason, of.optional_time("until")?)
        }
        Some(_) | None => return Ok(None),
    };
    Ok(Some(changes))
}

/// What Systeme.io's own events mean for memberships.
pub(super) fn of_systeme(stamp: &Stamp<'_>, told: &Told, catalogue: &Catalogue) -> Vec<Change> {
    let contact = &told.contact;
    let of_tag = |tag, status| {
        let Some(tier) = catalogue.tier_of_tag(tag) else { return Vec::new() };
        let via = format!("tag:{}", tier.tag.as_deref().unwrap_or_default());
        let said = Said { via: &via, status, tier: Some(tier.tier.clone()), started_at: None, ends_at: None };
        membership(stamp, contact, &said, catalogue)
    };
    match &told.happened {
        Happened::TagAdded(tag) => of_tag(tag, "active"),
        Happened::TagRemoved(tag) => of_tag(tag, "cancelled"),
        Happened::Sold(sale) => of_sale(stamp, contact, sale, false, catalogue),
        Happened::SaleCancelled(sale) => of_sale(stamp, contact, sale, true, catalogue),
        Happened::Seen | Happened::Enrolled(..) | Happened::Unenrolled(_) => Vec::new(),
    }
}

fn of_sale(stamp: &Stamp<'_>, contact: &Contact, sale: &Sale, cancelled: bool, catalogue: &Catalogue) -> Vec<Change> {
    let mut changes = super::learning::payment(stamp, sale, cancelled).to_vec();
    let plan = sale.plan.as_ref();
    if plan.is_some_and(|plan| plan.recurring) {
        changes.extend(subscription::of_sale(stamp, contact, sale, cancelled));
    }
    if let Some(tier) = plan.and_then(|plan| catalogue.tier_of_plan(plan.id.as_deref()?)) {
        let status = if cancelled { "cancelled" } else { "active" };
        let via = sale.via();
        let said = Said { via: &via, status, tier: Some(tier.tier.clone()), started_at: None, ends_at: None };
        changes.extend(membership(stamp, contact, &said, catalogue));
    }
    changes
}

/// The membership, its line of history, and the access level that follows from it.
fn membership(stamp: &Stamp<'_>, contact: &Contact, said: &Said<'_>, catalogue: &Catalogue) -> Vec<Change> {
    let active = said.status == "active";
    let mut row = row! { "email" => contact.email, "via" => said.via, "status" => said.status };
    let mut set = |column: &str, value| drop(row.insert(column.to_owned(), value));
    if let Some(tier) = &said.tier {
        set("tier", tier.as_str().into());
    }
    if let Some(at) = said.started_at.or_else(|| (active && said.via != BY_SENDER).then_some(stamp.at)) {
        set("started_at", serde_json::json!(at));
    }
    // A membership that goes on and names no end has none; one that ends without naming when ends now.
    if said.status != "paused" {
        set("ends_at", serde_json::json!(said.ends_at.or_else(|| (!active).then_some(stamp.at))));
    }
    let history = row! {
        "event_id" => stamp.event.id,
        "source" => *stamp.event.source,
        "email" => contact.email,
        "via" => said.via,
        "change" => *stamp.event.kind,
        "tier" => said.tier,
        "status" => said.status,
        "at" => stamp.at,
    };
    let mut changes =
        vec![Change::merge(&MEMBERSHIPS, row, stamp.version.clone()), Change::append(&MEMBERSHIP_HISTORY, history)];
    let paid_until = said.ends_at.filter(|ends_at| said.status == "cancelled" && *ends_at > stamp.at);
    match (&said.tier, paid_until) {
        (Some(tier), _) if active => {
            // A tier that nobody listed gives a level of its own name: members are not shut out by a missing line.
            let level = catalogue.tier(tier).map_or(tier.as_str(), |tier| tier.access_level.as_str());
            changes.extend(access(stamp, contact, said.via, level, &format!("tier:{tier}"), said.ends_at));
        }
        // It goes on with what was given before, whatever came between.
        (None, _) if active => changes.extend(goes_on(stamp, contact, said)),
        // Cancelled, and paid for until then: what was given runs out by itself.
        (_, Some(until)) => {
            let row = row! { "email" => contact.email, "via" => said.via, "until" => until };
            changes.push(Change::merge(&ACCESS_LEVELS, row, stamp.version.clone()));
            changes.push(access_line(stamp, contact, said.via, None, "membership_cancelled", Some(until)));
        }
        (_, None) => changes.extend(withheld(stamp, contact, said)),
    }
    changes
}

/// What was given is withheld, and not forgotten: a renewal that names no tier gives it back, in whatever order the two
/// are heard of.
fn withheld(stamp: &Stamp<'_>, contact: &Contact, said: &Said<'_>) -> [Change; 2] {
    let reason = format!("membership_{}", said.status);
    let row = row! { "email" => contact.email, "via" => said.via, "withheld" => reason, "since" => stamp.at };
    let line = access_line(stamp, contact, said.via, Some("none"), &reason, None);
    [Change::merge(&ACCESS_LEVELS, row, stamp.version.clone()), line]
}

fn goes_on(stamp: &Stamp<'_>, contact: &Contact, said: &Said<'_>) -> [Change; 2] {
    let row = row! {
        "email" => contact.email, "via" => said.via, "withheld" => None::<&str>, "since" => stamp.at,
        "until" => said.ends_at,
    };
    let line = access_line(stamp, contact, said.via, None, "membership_active", said.ends_at);
    [Change::merge(&ACCESS_LEVELS, row, stamp.version.clone()), line]
}

fn access(
    stamp: &Stamp<'_>,
    contact: &Contact,
    via: &str,
    level: &str,
    reason: &str,
    until: Option<Timestamp>,
) -> Vec<Change> {
    let row = row! {
        "email" => contact.email, "via" => via, "level" => level, "reason" => reason, "since" => stamp.at, "until" => until,
        "withheld" => None::<&str>,
    };
    let line = access_line(stamp, contact, via, Some(level), reason, until);
    vec![Change::merge(&ACCESS_LEVELS, row, stamp.version.clone()), line]
}

/// A line of history. `level`: `None` where it stays, and goes on or ends at another time.
fn access_line(
    stamp: &Stamp<'_>,
    contact: &Contact,
    via: &str,
    level: Option<&str>,
    reason: &str,
    until: Option<Timestamp>,
) -> Change {
    let row = row! {
        "event_id" => stamp.event.id,
        "source" => *stamp.event.source,
        "email" => contact.email,
        "via" => via,
        "level" => level,
        "reason" => reason,
        "at" => stamp.at,
        "until" => until,
    };
    Change::append(&ACCESS_LEVEL_HISTORY, row)
}

fn payment(
    stamp: &Stamp<'_>,
    contact: &Contact,
    data: &Fields<'_>,
    step: &str,
) -> Result<Option<Vec<Change>>, Failure> {
    let status = match step {
        "confirmed" | "succeeded" | "paid" => "paid",
        "failed" => "failed",
        "cancelled" | "canceled" => "cancelled",
        "refunded" => "refunded",
        _ => return Ok(None),
    };
    let of = data.object("payment")?;
    let id = of.text("id")?;
    let amount = of.optional_integer("amount_cents")?;
    if status == "paid" && amount.is_none() {
        return Err(of.missing("amount_cents"));
    }
    let currency = of.optional_text("currency")?.map(|currency| currency.to_uppercase());
    let mut row = row! {
        "payment_id" => id,
        "email" => contact.email,
        "order_id" => of.optional_text("order_id")?,
        "amount_cents" => amount,
        "currency" => currency,
        "status" => status,
        "plan_id" => of.optional_text("plan_id")?,
        "plan_name" => of.optional_text("plan_name")?,
        "processor" => of.optional_text("processor")?,
    };
    row.retain(|_, value| !value.is_null());
    match status {
        "paid" => {
            drop(row.insert("paid_at".to_owned(), serde_json::json!(of.optional_time("paid_at")?.unwrap_or(stamp.at))));
        }
        "cancelled" | "refunded" => drop(row.insert("cancelled_at".to_owned(), serde_json::json!(stamp.at))),
        _ => {}
    }
    let history = row! {
        "event_id" => stamp.event.id,
        "source" => *stamp.event.source,
        "payment_id" => id,
        "email" => contact.email,
        "change" => status,
        "at" => stamp.at,
        "amount_cents" => amount,
        "currency" => currency,
    };
    Ok(Some(vec![Change::merge(&PAYMENTS, row, stamp.version.clone()), Change::append(&PAYMENT_HISTORY, history)]))
}
