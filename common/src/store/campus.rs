//! Campuses as they are stored: found by what a webhook calls them, with their sealed values opened.
//!
//! Each sealed value is bound to its row by the name that [`token_row`] and [`secret_row`] give it.

mod listing;
mod manage;
mod members;
mod reseal;
mod run;
mod runs;
mod staging;

use tokio_postgres::Row;
use uuid::Uuid;

pub use self::{
    listing::{CampusListing, SecretListing},
    manage::NewCampus,
    members::KnownMember,
    run::{CampusClock, NewRun, Run, RunCause, RunCounts, RunEnd, RunPhase},
    staging::{StagedMember, Step},
};
use super::{Store, StoreError};
use crate::{
    campus::{Campus, CampusError, WebhookSecret},
    vault::Vault,
};

/// The columns that [`campus_of`] reads.
macro_rules! campus_columns {
    () => {
        "c.campus_id, c.church_id, c.name, c.core_api_url, c.core_token, c.enabled, c.sync_method, c.filters, \
         c.initial_engagement, c.time_zone"
    };
}

fn token_row(campus: Uuid) -> String {
    format!("campus_sync.core_token/{campus}")
}

fn secret_row(campus: Uuid, secret: Uuid) -> String {
    format!("campus_secret/{campus}/{secret}")
}

impl Store {
    /// The campus with this church id or campus id (the church id first, should a text be both).
    ///
    /// # Errors
    /// The store's, or [`CampusError::Vault`] where its sealed values cannot be opened.
    pub async fn find_campus(&self, name: &str, vault: &Vault) -> Result<Option<Campus>, CampusError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(concat!(
                "/* campus_find */ select ",
                campus_columns!(),
                " from campus_sync c where c.church_id = $1 or c.campus_id = $2 order by c.church_id = $1 desc limit 1"
            ))
            .await
            .map_err(StoreError::from)?;
        let found =
            client.query_opt(&statement, &[&name, &Uuid::parse_str(name).ok()]).await.map_err(StoreError::from)?;
        let Some(row) = found else { return Ok(None) };
        let id: Uuid = row.get("campus_id");
        let statement = client
            .prepare_cached(
                "/* campus_secrets */ select id, sealed, expires_at from campus_secret
                 where campus_id = $1 and (expires_at is null or expires_at > $2) order by created_at desc, id desc",
            )
            .await
            .map_err(StoreError::from)?;
        let rows = client.query(&statement, &[&id, &self.clock().now()]).await.map_err(StoreError::from)?;
        let secrets = rows
            .iter()
            .map(|row| {
                let secret = vault.open(&secret_row(id, row.get("id")), row.get("sealed"))?;
                Ok(WebhookSecret { secret, expires_at: row.get("expires_at") })
            })
            .collect::<Result<_, CampusError>>()?;
        campus_of(&row, secrets, vault).map(Some)
    }
}

fn campus_of(row: &Row, secrets: Vec<WebhookSecret>, vault: &Vault) -> Result<Campus, CampusError> {
    let id = row.get("campus_id");
    let method: &str = row.get("sync_method");
    Ok(Campus {
        id,
        church_id: row.get("church_id"),
        name: row.get("name"),
        enabled: row.get("enabled"),
        sync_method: method.parse().map_err(StoreError::Row)?,
        secrets,
        core_api_url: row.get("core_api_url"),
        core_token: vault.open(&token_row(id), row.get("core_token"))?,
        filters: row.get("filters"),
        initial_engagement: row.get("initial_engagement"),
        time_zone: row.get("time_zone"),
    })
}
