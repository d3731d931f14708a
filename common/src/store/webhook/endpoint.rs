//! What a delivery needs to know of its webhook, and what it leaves there: how the endpoint has been lately.
//!
//! An endpoint that is well costs a read and no write.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::secret_row;
use crate::{
    event::EventId,
    store::{Store, StoreError},
    vault::Vault,
    webhook::{Signing, WebhookError},
};

/// Where a delivery goes, and how it is signed.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address.
    pub url: String,
    /// Whether it is told of events.
    pub active: bool,
    /// Why we gave it up, if we did.
    pub disabled_reason: Option<String>,
    /// Since when nothing has arrived.
    pub failing_since: Option<Timestamp>,
    /// The secrets in force, the newest first.
    pub signing: Signing,
    /// W3C `traceparent` of the request that brought the event.
    pub traceparent: Option<String>,
}

impl Store {
    /// The endpoint of a delivery; `None` where its webhook was deleted.
    ///
    /// # Errors
    /// The store's, or the vault's where a secret cannot be opened.
    pub async fn endpoint(
        &self,
        webhook: &str,
        delivery: EventId,
        vault: &Vault,
    ) -> Result<Option<Endpoint>, WebhookError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* webhook_endpoint */
                select w.url, w.active, w.disabled_reason, w.failing_since,
                    (select e.traceparent from event e where e.id = $2), s.id, s.sealed
                from webhook w join webhook_secret s on s.webhook_id = w.id
                where w.id = $1 and (s.expires_at is null or s.expires_at > $3)
                order by s.created_at desc, s.id desc",
            )
            .await?;
        let rows = client.query(&statement, &[&webhook, &delivery.uuid(), &self.clock().now()]).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let secret =
            |row: &tokio_postgres::Row| vault.open(&secret_row(webhook, row.get::<_, Uuid>(5)), row.get::<_, &[u8]>(6));
        Ok(Some(Endpoint {
            url: first.get(0),
            active: first.get(1),
            disabled_reason: first.get(2),
            failing_since: first.get(3),
            traceparent: first.get(4),
            signing: Signing { secrets: rows.iter().map(secret).collect::<Result<_, _>>()? },
        }))
    }

    /// Whether any webhook is told of events at all.
    ///
    /// # Errors
    /// The store's.
    pub async fn any_webhook(&self) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement =
            client.prepare_cached("/* webhook_any */ select exists (select from webhook where active)").await?;
        Ok(client.query_one(&statement, &[]).await?.get(0))
    }

    /// Something arrived at an endpoint that was failing.
    ///
    /// # Errors
    /// The store's.
    pub async fn webhook_recovered(&self, webhook: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "/* webhook_recovered */ update webhook set failing_since = null
                 where id = $1 and failing_since is not null",
                &[&webhook],
            )
            .await?;
        Ok(())
    }

    /// Something did not arrive. An endpoint that has been failing for `patience` is disabled with this reason, and the
    /// answer is true.
    ///
    /// # Errors
    /// The store's.
    pub async fn webhook_failed(&self, webhook: &str, patience: Duration, reason: &str) -> Result<bool, StoreError> {
        let now = self.clock().now();
        let long_ago = SignedDuration::try_from(patience).ok().and_then(|patience| now.checked_sub(patience).ok());
        let client = self.client().await?;
        let row = client
            .query_opt(
                "/* webhook_failed */
                update webhook set failing_since = coalesce(failing_since, $2), active = failing_since is null,
                    disabled_at = case when failing_since is not null then $2 end,
                    disabled_reason = case when failing_since is not null then $4 end,
                    updated_at = case when failing_since is null then updated_at else $2 end
                where id = $1 and active and (failing_since is null or failing_since <= $3)
                returning active",
                &[&webhook, &now, &long_ago.unwrap_or(Timestamp::UNIX_EPOCH), &reason],
            )
            .await?;
        Ok(row.is_some_and(|row| !row.get::<_, bool>(0)))
    }

    /// Gives an endpoint up; true where that is new.
    ///
    /// # Errors
    /// The store's.
    pub async fn disable_webhook(&self, webhook: &str, reason: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let hit = client
            .execute(
                "/* webhook_disable */ update webhook set active = false, disabled_at = $2, disabled_reason = $3,
                     updated_at = $2
                 where id = $1 and active",
                &[&webhook, &self.clock().now(), &reason],
            )
            .await?;
        Ok(hit > 0)
    }
}
