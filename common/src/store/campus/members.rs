//! What we hold about a campus's members, for a sync handler that looks before it decides and for reconciliation.
//!
//! Read only: members change through the applier.

use jiff::{Timestamp, civil::Date};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// A member as stored: what sync compares, and nothing that is FaithTracker's own.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownMember {
    /// The core system's id.
    pub member_id: String,
    /// Full name.
    pub name: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Gender, in the core system's words.
    pub gender: Option<String>,
    /// Date of birth.
    pub birth_date: Option<Date>,
    /// Where the photo is.
    pub photo_url: Option<String>,
    /// Hidden from the lists.
    pub is_archived: bool,
    /// Why.
    pub archived_reason: Option<String>,
    /// As of when the core system was last known to have it.
    pub synced_at: Option<Timestamp>,
}

impl Store {
    /// One member of a campus.
    ///
    /// # Errors
    /// The store's.
    pub async fn known_member(&self, campus: Uuid, member_id: &str) -> Result<Option<KnownMember>, StoreError> {
        Ok(self.known_members(campus, &[member_id]).await?.pop())
    }

    /// Those of the given members that we have, in no particular order.
    ///
    /// # Errors
    /// The store's.
    pub async fn known_members(&self, campus: Uuid, member_ids: &[&str]) -> Result<Vec<KnownMember>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* members_known */ select member_id, name, phone, gender, birth_date, photo_url, is_archived,
                     archived_reason, synced_at
                 from members where campus_id = $1 and member_id = any($2)",
            )
            .await?;
        let rows = client.query(&statement, &[&campus, &member_ids]).await?;
        Ok(rows.iter().map(known).collect())
    }
}

fn known(row: &Row) -> KnownMember {
    KnownMember {
        member_id: row.get("member_id"),
        name: row.get("name"),
        phone: row.get("phone"),
        gender: row.get("gender"),
        birth_date: row.get("birth_date"),
        photo_url: row.get("photo_url"),
        is_archived: row.get("is_archived"),
        archived_reason: row.get("archived_reason"),
        synced_at: row.get("synced_at"),
    }
}
