//! The schema: embedded migrations, forward only, and the check at start that code and tables belong together.
//!
//! Migrations expand first and contract a release later, so that the old build runs beside the new one during a
//! rolling upgrade. Nothing here touches data.

use super::{Store, StoreError};

mod embedded {
    #![allow(missing_docs, unreachable_pub)] // generated
    refinery::embed_migrations!("migrations");
}

/// A migration that was applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// Its name.
    pub name: String,
}

/// The number of the newest migration in this build.
fn newest() -> i32 {
    embedded::migrations::runner().get_migrations().iter().map(|migration| migration.version()).max().unwrap_or(0)
}

impl Store {
    /// Applies what is missing and makes the first partitions. Several processes may call it at once; one does it.
    pub async fn migrate(&self) -> Result<Vec<Applied>, StoreError> {
        let mut client = self.client().await?;
        // A migration takes as long as it takes, and so does waiting for another process's; a half of it helps nobody.
        client.batch_execute("/* migrate_patience */ set statement_timeout = 0").await?;
        client.batch_execute("/* migrate_lock */ select pg_advisory_lock(hashtext('lychgate.migrate'))").await?;
        let ran = embedded::migrations::runner().run_async(&mut **client).await;
        let unlock =
            "/* migrate_unlock */ select pg_advisory_unlock(hashtext('lychgate.migrate')); reset statement_timeout";
        let unlocked = client.batch_execute(unlock).await;
        if unlocked.is_err() {
            // The lock lives as long as the connection; a connection that cannot unlock must not return to the pool.
            drop(deadpool_postgres::Object::take(client));
        }
        let report = ran.map_err(|error| StoreError::Schema(format!("a migration failed: {error}")))?;
        self.make_partitions(super::partition::DAYS_AHEAD).await?;
        Ok(report
            .applied_migrations()
            .iter()
            .map(|migration| Applied { version: migration.version(), name: migration.name().to_owned() })
            .collect())
    }

    /// Refuses a schema that this build does not know, with what to do about it.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let known = client
            .query_opt("/* schema_exists */ select 1 from pg_tables where tablename = 'refinery_schema_history'", &[])
            .await?;
        let found: i32 = match known {
            None => 0,
            Some(_) => client
                .query_one(
                    "/* schema_version */ select coalesce(max(version), 0)::int from refinery_schema_history",
                    &[],
                )
                .await?
                .get(0),
        };
        match found.cmp(&newest()) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(StoreError::Schema(format!(
                "the database's schema is at version {found}, this build needs {}: run `lychgate migrate`",
                newest()
            ))),
            std::cmp::Ordering::Greater => Err(StoreError::NewerSchema(format!(
                "the database's schema is at version {found}, this build knows only {}: start a newer build",
                newest()
            ))),
        }
    }
}
