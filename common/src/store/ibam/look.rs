//! What a handler wants to know of a person or an organisation before it decides.
//!
//! Read only.

use jiff::Timestamp;

use crate::{
    event::EventId,
    store::{Store, StoreError},
};

/// Deeper hierarchies than this are nobody's.
const DEPTH: i32 = 1000;

/// What is stored of a person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownUser {
    /// Whether there is a profile.
    pub has_profile: bool,
    /// Who keeps the auth user: `supabase` or `local`; `None` where there is none.
    pub provider: Option<String>,
    /// When the newest magic token expires, used or not.
    pub token_expires_at: Option<Timestamp>,
}

/// A course that somebody may take, and why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Granted {
    /// IBAM's course.
    pub course_id: String,
    /// `tag:NAME`, `order:ID` or `systeme`.
    pub via: String,
}

impl Store {
    /// The id under which the sender told of an event; `None` where it told none, and of events that are only rehearsed.
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_message_id(&self, id: EventId) -> Result<Option<String>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached("/* ibam_message_id */ select key from event where id = $1").await?;
        Ok(client.query_opt(&statement, &[&id.uuid()]).await?.and_then(|row| row.get(0)))
    }

    /// What is stored of the person with this e-mail address (in lower case).
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_user(&self, email: &str) -> Result<KnownUser, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* ibam_user */ select p.email is not null, a.provider, p.magic_token_expires_at
                 from (values ($1::text)) as asked (email)
                 left join user_profiles p on p.email = asked.email left join auth_users a on a.email = asked.email",
            )
            .await?;
        let row = client.query_one(&statement, &[&email]).await?;
        Ok(KnownUser { has_profile: row.get(0), provider: row.get(1), token_expires_at: row.get(2) })
    }

    /// The courses that a person was given for one of these reasons, whatever became of them.
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_granted(&self, email: &str, via: &[String]) -> Result<Vec<Granted>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* ibam_granted */ select course_id, via from course_enrolments
                 where email = $1 and via = any($2) order by course_id, via",
            )
            .await?;
        let rows = client.query(&statement, &[&email, &via]).await?;
        Ok(rows.iter().map(|row| Granted { course_id: row.get(0), via: row.get(1) }).collect())
    }

    /// An organisation and everything above it, nearest first, those included that are only known as a parent. Ends
    /// where the hierarchy does, or at 1000 steps.
    ///
    /// # Errors
    /// The store's.
    pub async fn organisation_line(&self, organisation_id: &str) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* organisation_line */
                 with recursive line (organisation_id, step) as (
                     select $1::text, 0
                     union all
                     select o.parent_id, line.step + 1
                     from line join organisations o on o.organisation_id = line.organisation_id
                     where o.parent_id is not null and line.step < $2
                 ) select organisation_id from line order by step",
            )
            .await?;
        let rows = client.query(&statement, &[&organisation_id, &DEPTH]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
