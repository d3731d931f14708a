//! Mails that wait to be sent: found, tied to their event, read by whoever sends them, forgotten with time.
//!
//! What becomes of a mail is written by the settling of its event, never here, save that a row which is taken up twice
//! is put in step with its event.

mod listing;
mod template;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::{
    listing::{MailFilter, MailLine, MailShown},
    template::{MailTemplate, NewTemplate},
};
use super::{Store, StoreError};
use crate::event::EventId;

/// What the database calls when another application has queued a mail.
pub const MAIL_CHANNEL: &str = "lychgate_mail";

/// A mail that nobody has taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingMail {
    /// Its id.
    pub id: Uuid,
    /// Its template's name.
    pub template: String,
    /// To whom.
    pub recipient: String,
}

/// A mail as it is to be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Mail {
    /// Its id.
    pub id: Uuid,
    /// To whom.
    pub recipient: String,
    /// The template's variables.
    pub data: Map<String, Value>,
    /// The page that a magic token is to be added to.
    pub magic_link: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The template's name.
    pub template_name: String,
    /// The template; `None` where there is none of the name.
    pub template: Option<MailTemplate>,
}

/// Mails that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailBacklog {
    /// How many are due and not taken up, counted up to 100,000.
    pub pending: i64,
    /// Since when the one that has waited longest is due.
    pub oldest: Option<Timestamp>,
}

/// Somebody's magic token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownToken {
    /// SHA-256 of the token in hex; `None` once it is spent.
    pub fingerprint: Option<String>,
    /// When it expires, or would have.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Up to `limit` mails that are due and not taken up, those first that have waited longest.
    ///
    /// # Errors
    /// The store's.
    pub async fn pending_mails(&self, limit: i64) -> Result<Vec<PendingMail>, StoreError> {
        let now = self.clock.now();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mails_pending */ select id, template, recipient from email_queue
                 where status = 'pending' and next_attempt_at <= $1 order by next_attempt_at limit $2",
            )
            .await?;
        let rows = client.query(&statement, &[&now, &limit]).await?;
        let mail =
            |row: &tokio_postgres::Row| PendingMail { id: row.get(0), template: row.get(1), recipient: row.get(2) };
        Ok(rows.iter().map(mail).collect())
    }

    /// Says of mails that they are being sent, each by its event. One whose event has ended already (it was taken up
    /// before) is given that end.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_up_mails(&self, mails: &[(Uuid, EventId)]) -> Result<(), StoreError> {
        let mut sorted = mails.to_vec();
        sorted.sort_unstable();
        let ids: Vec<Uuid> = sorted.iter().map(|(id, _)| *id).collect();
        let events: Vec<Uuid> = sorted.iter().map(|(_, event)| event.uuid()).collect();
        let now = self.clock.now();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mails_take_up */
                with taken as materialized (
                    select q.id, v.event from email_queue q
                    join unnest($1::uuid[], $2::uuid[]) as v (id, event) on v.id = q.id
                    where q.status = 'pending' order by q.id for update of q
                )
                update email_queue q set job_id = t.event, updated_at = $3,
                    status = case s.status when 'succeeded' then 'sent'
                        when 'accepted' then 'sending' when 'retrying' then 'sending' else 'failed' end
                from taken t left join event_state s on s.id = t.event where q.id = t.id",
            )
            .await?;
        client.execute(&statement, &[&ids, &events, &now]).await?;
        Ok(())
    }

    /// A mail with its template; `None` where there is none of this id.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail(&self, id: Uuid) -> Result<Option<Mail>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mail */ select q.id, q.recipient, q.data, q.magic_link, q.created_at, q.template,
                     t.name, t.subject, t.body, t.html, t.updated_at
                 from email_queue q left join email_template t on t.name = q.template where q.id = $1",
            )
            .await?;
        let Some(row) = client.query_opt(&statement, &[&id]).await? else { return Ok(None) };
        let template = row.get::<_, Option<&str>>(6).map(|_| template::template(&row, 6));
        let data = match row.get(2) {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Ok(Some(Mail {
            id: row.get(0),
            recipient: row.get(1),
            data,
            magic_link: row.get(3),
            created_at: row.get(4),
            template_name: row.get(5),
            template,
        }))
    }

    /// What is known of the magic token of somebody (the address in lower case); `None` for nobody we know.
    ///
    /// # Errors
    /// The store's.
    pub async fn magic_token_of(&self, email: &str) -> Result<Option<KnownToken>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* magic_of */ select magic_token, magic_token_expires_at from user_profiles where email = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&email]).await?;
        Ok(row.map(|row| KnownToken { fingerprint: row.get(0), expires_at: row.get(1) }))
    }

    /// What waits, for metrics and health.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail_backlog(&self) -> Result<MailBacklog, StoreError> {
        let now = self.clock.now();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mails_backlog */
                select count(*), min(next_attempt_at) from (select next_attempt_at from email_queue
                    where status = 'pending' and next_attempt_at <= $1 order by next_attempt_at limit 100000) as due",
            )
            .await?;
        let row = client.query_one(&statement, &[&now]).await?;
        Ok(MailBacklog { pending: row.get(0), oldest: row.get(1) })
    }

    /// Forgets mails that were queued before `before` and need nothing more: sent, or failed with their event gone.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_mails(&self, before: Timestamp) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* mails_forget */ delete from email_queue q
                 where q.created_at < $1 and (q.status = 'sent' or q.status = 'failed'
                     and not exists (select from event_state s where s.id = q.job_id and s.status <> 'discarded'))",
            )
            .await?;
        Ok(client.execute(&statement, &[&before]).await?)
    }
}
