//! What operators do to campuses: add, list, enable, disable, rotate the webhook secret. Each is audited in the same
//! transaction.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{secret_row, token_row};
use crate::{
    campus::{CampusError, SyncMethod},
    event::EventId,
    secret::Secret,
    store::{Store, StoreError, audit::audit},
    vault::{Vault, generate_secret},
};

/// A campus to be added.
#[derive(Clone, Debug)]
pub struct NewCampus {
    /// The core system's name for it.
    pub church_id: String,
    /// For people.
    pub name: String,
    /// Base URL of the core system's API.
    pub core_api_url: String,
    /// Bearer token for it.
    pub core_token: Secret,
    /// How it hears of changes.
    pub sync_method: SyncMethod,
    /// Which members are stored.
    pub filters: Value,
    /// The `engagement_status` of a member that sync creates.
    pub initial_engagement: String,
    /// IANA name.
    pub time_zone: String,
}

impl Store {
    /// Adds a campus and its first webhook secret, which is returned and never shown again.
    ///
    /// # Errors
    /// [`CampusError::Exists`]; the store's or the vault's.
    pub async fn add_campus(&self, new: &NewCampus, actor: &str, vault: &Vault) -> Result<(Uuid, Secret), CampusError> {
        let now = self.clock().now();
        let id = EventId::new(now).uuid();
        let token = vault.seal(&token_row(id), &new.core_token)?;
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(StoreError::from)?;
        let added = tx
            .execute(
                "/* campus_add */ insert into campus_sync (campus_id, church_id, name, core_api_url, core_token,
                     sync_method, filters, initial_engagement, time_zone, created_at, updated_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) on conflict (church_id) do nothing",
                &[
                    &id,
                    &new.church_id,
                    &new.name,
                    &new.core_api_url,
                    &token,
                    &new.sync_method.name(),
                    &new.filters,
                    &new.initial_engagement,
                    &new.time_zone,
                    &now,
                ],
            )
            .await
            .map_err(StoreError::from)?;
        if added == 0 {
            return Err(CampusError::Exists(new.church_id.clone()));
        }
        let secret = add_secret(&tx, id, now, vault).await?;
        audit(&tx, now, actor, "campus.add", &new.church_id, json!({ "core_api_url": new.core_api_url })).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok((id, secret))
    }

    /// Switches a campus's sync on or off.
    ///
    /// # Errors
    /// [`CampusError::Unknown`]; the store's.
    pub async fn enable_campus(&self, church_id: &str, enabled: bool, actor: &str) -> Result<(), CampusError> {
        let now = self.clock().now();
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(StoreError::from)?;
        let hit = tx
            .execute(
                "/* campus_enable */ update campus_sync set enabled = $2, updated_at = $3 where church_id = $1",
                &[&church_id, &enabled, &now],
            )
            .await
            .map_err(StoreError::from)?;
        if hit == 0 {
            return Err(CampusError::Unknown(church_id.to_owned()));
        }
        let action = if enabled { "campus.enable" } else { "campus.disable" };
        audit(&tx, now, actor, action, church_id, json!({})).await?;
        Ok(tx.commit().await.map_err(StoreError::from)?)
    }

    /// Gives a campus a new webhook secret, which is returned and never shown again. The ones before it verify for
    /// `overlap` longer, and secrets that expired long ago are removed.
    ///
    /// # Errors
    /// [`CampusError::Unknown`]; the store's or the vault's.
    pub async fn rotate_campus_secret(
        &self,
        church_id: &str,
        overlap: Duration,
        actor: &str,
        vault: &Vault,
    ) -> Result<Secret, CampusError> {
        let now = self.clock().now();
        let until = SignedDuration::try_from(overlap).ok().and_then(|overlap| now.checked_add(overlap).ok());
        let until = until.unwrap_or(Timestamp::MAX);
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(StoreError::from)?;
        // The campus's row is locked, so that of two rotations at once one comes after the other.
        let found = tx
            .query_opt(
                "/* campus_lock */ select campus_id from campus_sync where church_id = $1 for update",
                &[&church_id],
            )
            .await
            .map_err(StoreError::from)?;
        let Some(row) = found else { return Err(CampusError::Unknown(church_id.to_owned())) };
        let id: Uuid = row.get(0);
        tx.execute(
            "/* campus_secrets_expire */ update campus_secret set expires_at = least(coalesce(expires_at, $2), $2)
             where campus_id = $1",
            &[&id, &until],
        )
        .await
        .map_err(StoreError::from)?;
        tx.execute(
            "/* campus_secrets_forget */ delete from campus_secret where campus_id = $1 and expires_at <= $2",
            &[&id, &now],
        )
        .await
        .map_err(StoreError::from)?;
        let secret = add_secret(&tx, id, now, vault).await?;
        let detail = json!({ "label": secret.label(), "old_verify_until": until.to_string() });
        audit(&tx, now, actor, "campus.rotate_secret", church_id, detail).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(secret)
    }
}

async fn add_secret(
    tx: &deadpool_postgres::Transaction<'_>,
    campus: Uuid,
    now: Timestamp,
    vault: &Vault,
) -> Result<Secret, CampusError> {
    let secret = generate_secret()?;
    let id = EventId::new(now).uuid();
    let sealed = vault.seal(&secret_row(campus, id), &secret)?;
    tx.execute(
        "/* campus_secret_add */ insert into campus_secret (id, campus_id, sealed, created_at) values ($1, $2, $3, $4)",
        &[&id, &campus, &sealed, &now],
    )
    .await
    .map_err(StoreError::from)?;
    Ok(secret)
}
