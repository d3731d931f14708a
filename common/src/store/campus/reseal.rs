//! After a change of the encryption key: what an older key sealed is sealed with the current one, so that the older key
//! can be taken out of the settings.

use uuid::Uuid;

use super::{secret_row, token_row};
use crate::{
    campus::CampusError,
    store::{Store, StoreError},
    vault::Vault,
};

impl Store {
    /// Seals anew whatever of the campuses an older key sealed, and says how many values that were. Several processes
    /// may do it at once: a value that another has changed in between is left to it.
    ///
    /// # Errors
    /// The store's or the vault's; what was done until then stays done.
    pub async fn reseal_campuses(&self, vault: &Vault) -> Result<u64, CampusError> {
        let client = self.client().await?;
        let mut resealed = 0;
        let tokens = client
            .query("/* reseal_tokens */ select campus_id, core_token from campus_sync", &[])
            .await
            .map_err(StoreError::from)?;
        for row in tokens.iter().filter(|row| vault.is_outdated(row.get(1))) {
            let (campus, old): (Uuid, &[u8]) = (row.get(0), row.get(1));
            let place = token_row(campus);
            let new = vault.seal(&place, &vault.open(&place, old)?)?;
            resealed += client
                .execute(
                    "/* reseal_token */ update campus_sync set core_token = $3 where campus_id = $1 and core_token = $2",
                    &[&campus, &old, &new],
                )
                .await
                .map_err(StoreError::from)?;
        }
        let secrets = client
            .query("/* reseal_secrets */ select id, campus_id, sealed from campus_secret", &[])
            .await
            .map_err(StoreError::from)?;
        for row in secrets.iter().filter(|row| vault.is_outdated(row.get(2))) {
            let (id, campus, old): (Uuid, Uuid, &[u8]) = (row.get(0), row.get(1), row.get(2));
            let place = secret_row(campus, id);
            let new = vault.seal(&place, &vault.open(&place, old)?)?;
            resealed += client
                .execute(
                    "/* reseal_secret */ update campus_secret set sealed = $3 where id = $1 and sealed = $2",
                    &[&id, &old, &new],
                )
                .await
                .map_err(StoreError::from)?;
        }
        Ok(resealed)
    }
}
