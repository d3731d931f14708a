//! What owners and operators do to webhooks: make, list, change, delete. Each deed is audited in its own transaction.

use jiff::Timestamp;
use serde_json::json;

use super::{secrets::add_secret, webhook_columns, webhook_of};
use crate::{
    event::EventId,
    secret::Secret,
    store::{Store, StoreError, audit::audit},
    vault::Vault,
    webhook::{Change, Draft, Health, Webhook, WebhookError, WebhookRefused},
};

impl Store {
    /// Makes a webhook and its first secret, which is returned and never shown again.
    ///
    /// # Errors
    /// The store's or the vault's.
    pub async fn add_webhook(
        &self,
        draft: &Draft,
        actor: &str,
        vault: &Vault,
    ) -> Result<(Webhook, Secret), WebhookError> {
        let now = self.clock().now();
        let id = format!("webhook_{}", EventId::new(now).uuid().simple());
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        tx.execute(
            "/* webhook_add */ insert into webhook (id, url, events, sources, description, active, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $7)",
            &[&id, &draft.url.as_str(), &draft.events, &draft.sources, &draft.description, &draft.active, &now],
        )
        .await?;
        tx.execute("/* webhook_pace_add */ insert into webhook_pace (webhook_id) values ($1)", &[&id]).await?;
        let secret = add_secret(&tx, &id, now, vault).await?;
        audit(&tx, now, actor, "webhook.create", &id, json!({ "url": shown(&draft.url), "events": draft.events }))
            .await?;
        let webhook = one(&tx, &id, now).await?;
        tx.commit().await?;
        Ok((webhook, secret))
    }

    /// Webhooks, the newest first, older than `before` where that is given.
    ///
    /// # Errors
    /// The store's.
    pub async fn webhooks(&self, limit: u32, before: Option<&str>) -> Result<Vec<Webhook>, StoreError> {
        let client = self.client().await?;
        let sql = concat!(
            "/* webhooks */ select ",
            webhook_columns!("$1"),
            " from webhook w where $2::text is null or w.id < $2 order by w.id desc limit $3"
        );
        let rows = client.query(sql, &[&self.clock().now(), &before, &i64::from(limit)]).await?;
        Ok(rows.iter().map(webhook_of).collect())
    }

    /// The webhook with this id.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's.
    pub async fn webhook(&self, id: &str) -> Result<Webhook, WebhookError> {
        one(&self.client().await?, id, self.clock().now()).await
    }

    /// Changes what is given; says what it is now.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's.
    pub async fn change_webhook(&self, id: &str, change: &Change, actor: &str) -> Result<Webhook, WebhookError> {
        let now = self.clock().now();
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let (sources, description) = (change.sources.is_some(), change.description.is_some());
        // Whoever puts it in force again, or has it somewhere else, begins anew.
        let changed = tx
            .execute(
                "/* webhook_change */ update webhook set url = coalesce($2, url), events = coalesce($3, events),
                     sources = case when $4 then $5 else sources end,
                     description = case when $6 then $7 else description end, active = coalesce($8, active),
                     failing_since = case when ($8 and not active) or $2 <> url then null else failing_since end,
                     disabled_at = case when $8 then null else disabled_at end,
                     disabled_reason = case when $8 then null else disabled_reason end, updated_at = $9
                 where id = $1",
                &[
                    &id,
                    &change.url.as_ref().map(url::Url::as_str),
                    &change.events,
                    &sources,
                    &change.sources.clone().flatten(),
                    &description,
                    &change.description.clone().flatten(),
                    &change.active,
                    &now,
                ],
            )
            .await?;
        if changed == 0 {
            return Err(WebhookRefused::Unknown(id.to_owned()).into());
        }
        let detail = json!({
            "url": change.url.as_ref().map(shown), "events": change.events, "sources": change.sources, "active": change.active,
        });
        audit(&tx, now, actor, "webhook.change", id, detail).await?;
        let webhook = one(&tx, id, now).await?;
        tx.commit().await?;
        Ok(webhook)
    }

    /// Deletes a webhook with its secrets. Its deliveries stay in the ledger; those still open are ignored.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's.
    pub async fn delete_webhook(&self, id: &str, actor: &str) -> Result<(), WebhookError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        if tx.execute("/* webhook_delete */ delete from webhook where id = $1", &[&id]).await? == 0 {
            return Err(WebhookRefused::Unknown(id.to_owned()).into());
        }
        audit(&tx, self.clock().now(), actor, "webhook.delete", id, json!({})).await?;
        Ok(tx.commit().await?)
    }

    /// How many webhooks there are in each state; a state without any may be left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn webhook_census(&self) -> Result<Vec<(Health, i64)>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* webhook_census */ select active, failing_since is not null, disabled_at is not null, count(*)
                 from webhook group by 1, 2, 3",
                &[],
            )
            .await?;
        let health = |row: &tokio_postgres::Row| Health::of(row.get(0), row.get(1), row.get(2));
        Ok(rows.iter().map(|row| (health(row), row.get(3))).collect())
    }
}

async fn one<C: deadpool_postgres::GenericClient>(
    client: &C,
    id: &str,
    now: Timestamp,
) -> Result<Webhook, WebhookError> {
    let sql = concat!("/* webhook */ select ", webhook_columns!("$1"), " from webhook w where w.id = $2");
    let row = client.query_opt(sql, &[&now, &id]).await?;
    Ok(webhook_of(&row.ok_or_else(|| WebhookRefused::Unknown(id.to_owned()))?))
}

/// Without its query, which may hold a token.
fn shown(url: &url::Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
