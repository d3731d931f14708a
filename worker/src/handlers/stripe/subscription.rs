//! Subscriptions: their state, by the newest event, and every step on the way as history.
//!
//! Billing periods moved from the subscription to its items in Stripe's API of 2025; both forms are read.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// Subscriptions as they stand.
pub(super) static SUBSCRIPTION: Table = Table {
    name: "stripe_subscription",
    key: &["source", "id"],
    columns: &[
        "customer_id",
        "status",
        "price_id",
        "quantity",
        "current_period_start",
        "current_period_end",
        "cancel_at_period_end",
        "cancel_at",
        "canceled_at",
        "ended_at",
        "trial_end",
        "latest_invoice_id",
        "created_at",
    ],
};

/// What happened to them.
pub(super) static HISTORY: Table = Table {
    name: "stripe_subscription_history",
    key: &["event_id"],
    columns: &["source", "subscription_id", "change", "at", "status", "previous"],
};

pub(super) fn changed(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let subscription = &told.object;
    let status = subscription.text("status")?;
    let mut row = told.copied(
        &[
            ("current_period_start", "current_period_start"),
            ("current_period_end", "current_period_end"),
            ("cancel_at", "cancel_at"),
            ("canceled_at", "canceled_at"),
            ("ended_at", "ended_at"),
            ("trial_end", "trial_end"),
            ("created_at", "created"),
        ],
        &[("customer_id", "customer"), ("status", "status"), ("latest_invoice_id", "latest_invoice")],
        &[("quantity", "quantity")],
    )?;
    if subscription.has("cancel_at_period_end") {
        row.extend(row! { "cancel_at_period_end" => subscription.optional_flag("cancel_at_period_end")? });
    }
    let items = subscription.optional_object("items")?;
    if let Some(item) = items.map(|items| items.optional_first("data")).transpose()?.flatten() {
        let price = match item.optional_id("price")? {
            Some(price) => Some(price),
            None => item.optional_id("plan")?,
        };
        row.extend(row! { "price_id" => price });
        if let Some(quantity) = item.optional_integer("quantity")? {
            row.extend(row! { "quantity" => quantity });
        }
        for column in ["current_period_start", "current_period_end"] {
            if let Some(at) = item.optional_seconds(column)? {
                row.insert(column.to_owned(), at.to_string().into());
            }
        }
    }
    let along = match told.step() {
        "created" => 0,
        "deleted" => 2,
        _ => 1,
    };
    let history = row! {
        "event_id" => told.event.id,
        "source" => *told.event.source,
        "subscription_id" => subscription.text("id")?,
        "change" => told.event.kind.trim_start_matches("customer.subscription."),
        "at" => told.at,
        "status" => status,
        "previous" => told.previous,
    };
    Ok(vec![told.merge(&SUBSCRIPTION, row, along)?, Change::append(&HISTORY, history)])
}
