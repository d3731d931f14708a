//! What SleekApp's handler must know before it decides: an order's standing, a supplier that is free, a customer's address.
//!
//! Only reads; the handler's changes are written by the applier.

use super::{Store, StoreError};

/// What an order is looked up by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderName<'a> {
    /// The source's configured name.
    pub source: &'a str,
    /// The connected account; empty for one's own.
    pub account: &'a str,
    /// The order's id.
    pub order_id: &'a str,
}

/// What is known of an order and its customer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownSale {
    /// The order that this payment turned out to belong to.
    pub merged_into: Option<String>,
    /// The supplier that the order has, else the one to assign: of the active ones with capacity left that with the
    /// lowest priority; among equals a hash of the order's id decides, so that the choice is the same again.
    pub supplier_id: Option<String>,
    /// Where the customer can be written to.
    pub customer_email: Option<String>,
}

impl Store {
    /// Looks all of it up in one go.
    pub async fn known_sale(&self, order: &OrderName<'_>, customer: Option<&str>) -> Result<KnownSale, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                r#"/* known_sale */
                select o.merged_into,
                    coalesce(o.supplier_id, (
                        select s.supplier_id from supplier s
                        where s.active and (s.capacity is null or s.capacity > (
                            select count(*) from "order" given
                            where given.supplier_id = s.supplier_id and given.merged_into is null
                                and given.supplier_assigned_at > $5::timestamptz - interval '24 hours'))
                        order by s.priority, md5($3 || '/' || s.supplier_id), s.supplier_id limit 1)) as supplier_id,
                    (select c.email from stripe_customer c
                     where c.source = $1 and c.id = $4 and c.deleted_at is null) as customer_email
                from (values (1)) one (row)
                left join "order" o on o.source = $1 and o.account = $2 and o.order_id = $3"#,
            )
            .await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&order.source, &order.account, &order.order_id, &customer, &self.clock.now()];
        let row = client.query_one(&statement, &parameters).await?;
        Ok(KnownSale {
            merged_into: row.get("merged_into"),
            supplier_id: row.get("supplier_id"),
            customer_email: row.get("customer_email"),
        })
    }
}
