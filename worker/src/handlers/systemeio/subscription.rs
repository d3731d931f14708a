//! Subscriptions: their state, and how it came about.

use lychgate_common::{
    change::{Change, Row},
    row,
};
use serde_json::json;

use super::{
    contact::Contact,
    sale::Sale,
    tables::{SUBSCRIPTION_HISTORY, SUBSCRIPTIONS},
    told::Stamp,
};
use crate::{handler::Failure, handlers::fields::Fields};

/// A membership service's `subscription.STEP`; `None` for a step we do not know.
pub(super) fn told(
    stamp: &Stamp<'_>,
    contact: &Contact,
    data: &Fields<'_>,
    step: &str,
) -> Result<Option<Vec<Change>>, Failure> {
    let status = match step {
        "created" | "activated" | "renewed" | "updated" | "resumed" => "active",
        "past_due" => "past_due",
        "paused" => "paused",
        "cancelled" | "canceled" => "cancelled",
        "expired" => "expired",
        _ => return Ok(None),
    };
    let of = data.object("subscription")?;
    let row = row! {
        "subscription_id" => of.text("id")?,
        "plan_id" => of.optional_text("plan_id")?,
        "plan_name" => of.optional_text("plan_name")?,
        "amount_cents" => of.optional_integer("amount_cents")?,
        "currency" => of.optional_text("currency")?.map(|currency| currency.to_uppercase()),
        "started_at" => of.optional_time("started_at")?,
        "current_period_end" => of.optional_time("current_period_end")?,
    };
    Ok(Some(changes(stamp, contact, row, status)))
}

/// A sale of a plan that is paid again and again.
pub(super) fn of_sale(stamp: &Stamp<'_>, contact: &Contact, sale: &Sale, cancelled: bool) -> Vec<Change> {
    let plan = sale.plan.as_ref();
    let row = row! {
        "subscription_id" => sale.via(),
        "plan_id" => plan.and_then(|plan| plan.id.as_deref()),
        "plan_name" => plan.and_then(|plan| plan.name.as_deref()),
        "amount_cents" => sale.amount_cents,
        "currency" => plan.and_then(|plan| plan.currency.as_deref()),
        "started_at" => sale.ordered_at,
    };
    changes(stamp, contact, row, if cancelled { "cancelled" } else { "active" })
}

fn changes(stamp: &Stamp<'_>, contact: &Contact, mut row: Row, status: &str) -> Vec<Change> {
    // What this event does not say stays.
    row.retain(|_, value| !value.is_null());
    let history = row! {
        "event_id" => stamp.event.id,
        "source" => *stamp.event.source,
        "subscription_id" => row.get("subscription_id"),
        "email" => contact.email,
        "change" => *stamp.event.kind,
        "status" => status,
        "at" => stamp.at,
        "current_period_end" => row.get("current_period_end"),
    };
    let ended = matches!(status, "cancelled" | "expired");
    row.extend(row! {
        "email" => contact.email,
        "status" => status,
        "cancelled_at" => if ended { json!(stamp.at) } else { json!(null) },
    });
    vec![Change::merge(&SUBSCRIPTIONS, row, stamp.version.clone()), Change::append(&SUBSCRIPTION_HISTORY, history)]
}
