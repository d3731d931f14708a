//! Magic tokens in the store: spent once by whoever brings one, made anew at an operator's word.
//!
//! Only the token's SHA-256 is ever here.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    event::EventId,
    magic::{Fingerprint, MagicToken},
    store::{Store, StoreError},
};

/// Whom a magic token let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SignedIn {
    /// The e-mail address.
    pub email: String,
    /// Our id of the auth user.
    pub id: Option<Uuid>,
    /// Supabase's id, where it is kept there.
    pub provider_id: Option<Uuid>,
    /// The name.
    pub name: Option<String>,
}

impl Store {
    /// Spends a magic token: whom it lets in, or `None` for one that is unknown, expired or spent. Of two that come at
    /// once one is let in.
    ///
    /// # Errors
    /// The store's.
    pub async fn spend_magic_token(&self, fingerprint: &Fingerprint) -> Result<Option<SignedIn>, StoreError> {
        let now = self.clock().now();
        let client = self.client().await?;
        let find = client
            .prepare_cached(
                "/* magic_find */ select magic_token from user_profiles
                 where magic_token = $1 and magic_token_expires_at > $2",
            )
            .await?;
        let found = client.query_opt(&find, &[&fingerprint.as_str(), &now]).await?;
        // The index has compared fingerprints, of which a stranger cannot choose a digit; the decision is constant-time.
        let stored: Option<String> = found.map(|row| row.get(0));
        if !stored.is_some_and(|stored| fingerprint.matches(&stored)) {
            return Ok(None);
        }
        let spend = client
            .prepare_cached(
                "/* magic_spend */
                 with spent as (
                     update user_profiles set magic_token = null
                     where magic_token = $1 and magic_token_expires_at > $2 returning email, name
                 ) select s.email, a.id, a.provider_id, s.name from spent s left join auth_users a using (email)",
            )
            .await?;
        let row = client.query_opt(&spend, &[&fingerprint.as_str(), &now]).await?;
        Ok(row.map(|row| SignedIn { email: row.get(0), id: row.get(1), provider_id: row.get(2), name: row.get(3) }))
    }

    /// Gives somebody a new magic token in the place of any other; returns when it expires, or `None` for nobody we
    /// know. Audited in the same statement.
    ///
    /// # Errors
    /// The store's.
    pub async fn issue_magic_token(
        &self,
        email: &str,
        token: &MagicToken,
        actor: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock().now();
        let expires_at = token.expires_at(now);
        let client = self.client().await?;
        let row = client
            .query_opt(
                "/* magic_issue */
                 with issued as (
                     update user_profiles set magic_token = $2, magic_token_expires_at = $3 where email = $1
                     returning email
                 ), noted as (
                     insert into audit (id, at, actor, action, subject)
                     select $4, $5, $6, 'ibam.magic_token', email from issued
                 ) select 1 from issued",
                &[&email, &token.fingerprint().as_str(), &expires_at, &EventId::new(now).uuid(), &now, &actor],
            )
            .await?;
        Ok(row.map(|_| expires_at))
    }
}
