//! Applies changes (being built).

use super::StoreError;
use crate::change::Change;

pub(super) async fn apply(_tx: &deadpool_postgres::Transaction<'_>, _changes: &[&Change]) -> Result<(), StoreError> {
    Ok(())
}
