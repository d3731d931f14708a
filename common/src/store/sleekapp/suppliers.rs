//! Suppliers: who they are, which one is free, and orders that were confirmed when none was.
//!
//! A change of them holds from the next choice on; orders keep the supplier that they have.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    change::Version,
    event::EventId,
    store::{Imported, Store, StoreError, catalogue::Statements},
};

/// Orders that one turn gives to suppliers: each is a statement of its own, and the next turn is soon.
const TURN: i64 = 100;

/// The supplier for the payment `$1` at `$2`, as an expression's text.
macro_rules! free {
    () => {
        "(select s.supplier_id from supplier s
         where s.active and (s.capacity is null or s.capacity > (
             select count(distinct (g.source, g.account, coalesce(g.order_id, g.payment_id))) from order_payment g
             where g.supplier_id = s.supplier_id
                 and g.supplier_assigned_at > $2::timestamptz - interval '24 hours'))
         order by s.priority, md5($1::text || '/' || s.supplier_id), s.supplier_id limit 1)"
    };
}
pub(super) use free;

/// Somebody who can be given orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supplier {
    /// Its id.
    pub supplier_id: String,
    /// For people.
    pub name: String,
    /// Whether it gets further orders.
    #[serde(default = "yes")]
    pub active: bool,
    /// Lower is asked first; equals share.
    #[serde(default = "usual_priority")]
    pub priority: i32,
    /// Orders in 24 hours, about; `None`: any number.
    #[serde(default)]
    pub capacity: Option<i32>,
}

/// The schema's default.
const fn yes() -> bool {
    true
}

/// The schema's default.
const fn usual_priority() -> i32 {
    100
}

/// An order that was given to a supplier after its confirmation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assigned {
    /// The order.
    pub order_id: String,
    /// Its supplier.
    pub supplier_id: String,
}

const SUPPLIERS: Statements = Statements {
    list: "/* suppliers */ select to_jsonb(s) - 'created_at' from supplier s order by priority, supplier_id",
    set: "/* suppliers_set */ insert into supplier (supplier_id, name, active, priority, capacity)
          select r.supplier_id, r.name, r.active, r.priority, r.capacity
          from jsonb_populate_recordset(null::supplier, $1::jsonb) r
          on conflict (supplier_id) do update set name = excluded.name, active = excluded.active,
              priority = excluded.priority, capacity = excluded.capacity",
    remove: "/* suppliers_remove */ delete from supplier s where not exists (
                 select from jsonb_populate_recordset(null::supplier, $1::jsonb) r
                 where r.supplier_id = s.supplier_id)",
    action: "suppliers.import",
    subject: "suppliers",
};

impl Store {
    /// The suppliers, those asked first at the top.
    ///
    /// # Errors
    /// The store's.
    pub async fn suppliers(&self) -> Result<Vec<Supplier>, StoreError> {
        self.catalogue(&SUPPLIERS).await
    }

    /// Adds or sets suppliers; with `replace`, those that are not among `rows` go.
    ///
    /// # Errors
    /// The store's; nothing is changed then.
    pub async fn import_suppliers(
        &self,
        rows: &[Supplier],
        replace: bool,
        actor: &str,
    ) -> Result<Imported, StoreError> {
        self.import(&SUPPLIERS, json!(rows), replace, actor).await
    }

    /// Gives orders that were paid and have no supplier to those that are free, oldest first, until none is free or a
    /// turn is over. Each order is given once, though several workers take turns at the same time.
    ///
    /// # Errors
    /// The store's; what was given before stays given.
    pub async fn assign_suppliers(&self) -> Result<Vec<Assigned>, StoreError> {
        let client = self.client().await?;
        let waiting = client
            .prepare_cached(
                r#"/* orders_waiting */
                select p.source, p.account, p.payment_id from order_payment p
                where p.confirmed_at is not null and p.supplier_id is null
                    and (select o.supplier_id is null and o.status in ('confirmed', 'partially_refunded')
                         from "order" o where o.source = p.source and o.account = p.account
                             and o.order_id = coalesce(p.order_id, p.payment_id))
                order by p.confirmed_at, p.payment_id limit $1"#,
            )
            .await?;
        let give = client
            .prepare_cached(concat!(
                "/* supplier_assign */ with chosen as (select (",
                free!(),
                ") as supplier_id), given as (
                     update order_payment p set supplier_id = c.supplier_id, supplier_assigned_at = $2,
                         versions = p.versions || jsonb_build_object('supplier_id', $6::text, 'supplier_assigned_at', $6)
                     from chosen c
                     where c.supplier_id is not null and p.supplier_id is null
                         and p.source = $3 and p.account = $4 and p.payment_id = $1
                         and not exists (select from order_payment g
                             where g.source = $3 and g.account = $4 and g.supplier_id is not null
                                 and coalesce(g.order_id, g.payment_id) = coalesce(p.order_id, p.payment_id))
                     returning p.*
                 ), noted as (
                     insert into order_history
                         (event_id, order_id, source, account, payment_id, change, at, amount, currency, detail)
                     select $5, coalesce(order_id, payment_id), source, account, payment_id, 'supplier_assigned', $2,
                         amount_paid, currency, jsonb_build_object('supplier_id', supplier_id) from given
                 ) select c.supplier_id as free, coalesce(g.order_id, g.payment_id) as order_id
                   from chosen c left join given g on true"
            ))
            .await?;
        let mut assigned = Vec::new();
        for row in client.query(&waiting, &[&TURN]).await? {
            let now = self.clock.now();
            let id = EventId::new(now);
            let (source, account, payment): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let version = Version::at(now, id);
            let done =
                client.query_one(&give, &[&payment, &now, &source, &account, &id.uuid(), &version.as_str()]).await?;
            // None is free: the rest waits, too.
            let Some(supplier_id) = done.get::<_, Option<String>>("free") else { break };
            if let Some(order_id) = done.get::<_, Option<String>>("order_id") {
                assigned.push(Assigned { order_id, supplier_id });
            }
        }
        Ok(assigned)
    }
}
