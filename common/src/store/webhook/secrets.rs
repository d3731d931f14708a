//! A webhook's secrets: made, rotated with an overlap, sealed anew when the encryption key has changed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{super::audit::audit, secret_row};
use crate::{
    event::EventId,
    secret::Secret,
    store::Store,
    vault::Vault,
    webhook::{WebhookError, WebhookRefused, generate_secret},
};

impl Store {
    /// Gives a webhook a new secret, which is returned and never shown again, and says until when the ones before it
    /// sign too.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's or the vault's.
    pub async fn rotate_webhook_secret(
        &self,
        id: &str,
        overlap: Duration,
        actor: &str,
        vault: &Vault,
    ) -> Result<(Secret, Timestamp), WebhookError> {
        let now = self.clock().now();
        let until = SignedDuration::try_from(overlap).ok().and_then(|overlap| now.checked_add(overlap).ok());
        let until = until.unwrap_or(Timestamp::MAX);
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        // The row is locked, so that of two rotations at once one comes after the other.
        let found = tx.query_opt("/* webhook_lock */ select 1 from webhook where id = $1 for update", &[&id]).await?;
        if found.is_none() {
            return Err(WebhookRefused::Unknown(id.to_owned()).into());
        }
        tx.execute(
            "/* webhook_secrets_expire */ update webhook_secret set expires_at = least(coalesce(expires_at, $2), $2)
             where webhook_id = $1",
            &[&id, &until],
        )
        .await?;
        tx.execute(
            "/* webhook_secrets_forget */ delete from webhook_secret where webhook_id = $1 and expires_at <= $2",
            &[&id, &now],
        )
        .await?;
        let secret = add_secret(&tx, id, now, vault).await?;
        let detail = json!({ "label": secret.label(), "old_sign_until": until.to_string() });
        audit(&tx, now, actor, "webhook.rotate_secret", id, detail).await?;
        tx.commit().await?;
        Ok((secret, until))
    }

    /// Seals anew whatever an older encryption key sealed, and says how many secrets that were.
    ///
    /// # Errors
    /// The store's or the vault's; what was done until then stays done.
    pub async fn reseal_webhooks(&self, vault: &Vault) -> Result<u64, WebhookError> {
        let client = self.client().await?;
        let mut resealed = 0;
        let rows =
            client.query("/* webhook_reseal_find */ select id, webhook_id, sealed from webhook_secret", &[]).await?;
        for row in rows.iter().filter(|row| vault.is_outdated(row.get(2))) {
            let (id, webhook, old): (Uuid, &str, &[u8]) = (row.get(0), row.get(1), row.get(2));
            let place = secret_row(webhook, id);
            let new = vault.seal(&place, &vault.open(&place, old)?)?;
            resealed += client
                .execute(
                    "/* webhook_reseal */ update webhook_secret set sealed = $3 where id = $1 and sealed = $2",
                    &[&id, &old, &new],
                )
                .await?;
        }
        Ok(resealed)
    }
}

pub(super) async fn add_secret(
    tx: &deadpool_postgres::Transaction<'_>,
    webhook: &str,
    now: Timestamp,
    vault: &Vault,
) -> Result<Secret, WebhookError> {
    let secret = generate_secret()?;
    let id = EventId::new(now).uuid();
    let sealed = vault.seal(&secret_row(webhook, id), &secret)?;
    tx.execute(
        "/* webhook_secret_add */ insert into webhook_secret (id, webhook_id, sealed, created_at)
         values ($1, $2, $3, $4)",
        &[&id, &webhook, &sealed, &now],
    )
    .await?;
    Ok(secret)
}
