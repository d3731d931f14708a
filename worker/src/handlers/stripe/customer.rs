//! Customers: where they can be written to.
//!
//! Kept because many of Stripe's events name a customer without an address.

use lychgate_common::{
    change::{Change, Table},
    row,
};

use super::Told;
use crate::handler::Failure;

/// Customers as they stand.
pub(super) static CUSTOMER: Table =
    Table { name: "stripe_customer", key: &["source", "id"], columns: &["email", "name", "created_at", "deleted_at"] };

pub(super) fn changed(told: &Told<'_>) -> Result<Vec<Change>, Failure> {
    let mut row = told.copied(&[("created_at", "created")], &[("email", "email"), ("name", "name")], &[])?;
    let along = match told.step() {
        "deleted" => {
            row.extend(row! { "deleted_at" => told.at });
            2
        }
        "updated" => 1,
        _ => 0,
    };
    Ok(vec![told.merge(&CUSTOMER, row, along)?])
}
