//! Campuses as an operator sees them. No secret is opened for it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// A campus as an operator sees it: no secret in it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampusListing {
    /// Ours.
    pub campus_id: Uuid,
    /// The core system's name for it.
    pub church_id: String,
    /// For people.
    pub name: String,
    /// Base URL of the core system's API.
    pub core_api_url: String,
    /// Whether sync is switched on.
    pub enabled: bool,
    /// How it hears of changes.
    pub sync_method: String,
    /// Which members are stored.
    pub filters: Value,
    /// IANA name.
    pub time_zone: String,
    /// Members that are not archived.
    pub members: i64,
    /// Its webhook secrets that still verify, the newest first.
    pub secrets: Vec<SecretListing>,
    /// When its last reconciliation ended, and how (`done`, `left_alone`, `failed`).
    pub last_reconciled: Option<(Timestamp, String)>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A webhook secret as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SecretListing {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops verifying; `None` for the current one.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// All campuses, by church id.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_campuses(&self) -> Result<Vec<CampusListing>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* campus_list */ select c.*, s.created, s.expires, r.finished_at, r.phase,
                     (select count(*) from members m where m.campus_id = c.campus_id and not m.is_archived) as members
                 from campus_sync c
                 left join lateral (
                     select array_agg(created_at order by created_at desc, id desc) as created,
                            array_agg(expires_at order by created_at desc, id desc) as expires
                     from campus_secret where campus_id = c.campus_id and (expires_at is null or expires_at > $1)
                 ) s on true
                 left join lateral (
                     select finished_at, phase from reconciliation_run
                     where campus_id = c.campus_id and finished_at is not null order by finished_at desc limit 1
                 ) r on true
                 order by c.church_id",
                &[&self.clock().now()],
            )
            .await?;
        let listing = |row: &tokio_postgres::Row| {
            let created: Option<Vec<Timestamp>> = row.get("created");
            let expires: Option<Vec<Option<Timestamp>>> = row.get("expires");
            let secrets = created.into_iter().flatten().zip(expires.into_iter().flatten());
            let finished: Option<Timestamp> = row.get("finished_at");
            CampusListing {
                campus_id: row.get("campus_id"),
                church_id: row.get("church_id"),
                name: row.get("name"),
                core_api_url: row.get("core_api_url"),
                enabled: row.get("enabled"),
                sync_method: row.get("sync_method"),
                filters: row.get("filters"),
                time_zone: row.get("time_zone"),
                members: row.get("members"),
                secrets: secrets.map(|(created_at, expires_at)| SecretListing { created_at, expires_at }).collect(),
                last_reconciled: finished.map(|at| (at, row.get("phase"))),
                created_at: row.get("created_at"),
            }
        };
        Ok(rows.iter().map(listing).collect())
    }
}
