//! What SleekApp's handler must know before it decides: which order a payment is for, a supplier that is free, a
//! customer's address; and suppliers for orders that were confirmed when none was free.
//!
//! The handler's own changes are written by the applier.

mod suppliers;

pub use self::suppliers::{Assigned, Supplier};
use super::{Store, StoreError};

/// What a payment is looked up by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentName<'a> {
    /// The source's configured name.
    pub source: &'a str,
    /// The connected account; empty for one's own.
    pub account: &'a str,
    /// The payment intent; the charge or checkout session where there is none.
    pub payment_id: &'a str,
    /// The order's id, where the event says it.
    pub order_id: Option<&'a str>,
}

/// What is known of a payment, its order and its customer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownSale {
    /// The order that the payment is for, as an earlier event said.
    pub order_id: Option<String>,
    /// The supplier that the order has, else the one to assign: of the active ones with capacity left that with the
    /// lowest priority; among equals a hash of the payment's id decides, so that the choice is the same again.
    pub supplier_id: Option<String>,
    /// Where the customer can be written to.
    pub customer_email: Option<String>,
}

impl Store {
    /// Looks all of it up in one go.
    ///
    /// # Errors
    /// The store's.
    pub async fn known_sale(&self, payment: &PaymentName<'_>, customer: Option<&str>) -> Result<KnownSale, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(concat!(
                "/* known_sale */ select p.order_id, coalesce((
                     select given.supplier_id from order_payment given
                     where given.source = $3 and given.account = $4 and given.supplier_id is not null
                         and coalesce(given.order_id, given.payment_id) = coalesce(p.order_id, $5, $1)
                     order by given.supplier_assigned_at, given.payment_id limit 1), (",
                suppliers::free!(),
                ")) as supplier_id,
                     (select c.email from stripe_customer c
                      where c.source = $3 and c.id = $6 and c.deleted_at is null) as customer_email
                 from (values (1)) one (row)
                 left join order_payment p on p.source = $3 and p.account = $4 and p.payment_id = $1"
            ))
            .await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&payment.payment_id, &self.clock.now(), &payment.source, &payment.account, &payment.order_id, &customer];
        let row = client.query_one(&statement, &parameters).await?;
        Ok(KnownSale {
            order_id: row.get("order_id"),
            supplier_id: row.get("supplier_id"),
            customer_email: row.get("customer_email"),
        })
    }
}
