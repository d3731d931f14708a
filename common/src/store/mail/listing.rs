//! Mails for those who ask: where each stands, and by which event. Never shows a mail's variables, which may let somebody
//! in.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    event::EventId,
    store::{Store, StoreError},
};

/// Which mails.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MailFilter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only of this template.
    pub template: Option<String>,
    /// Only to this address.
    pub recipient: Option<String>,
}

/// One mail in a listing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MailLine {
    /// Its id.
    pub id: Uuid,
    /// `pending`, `sending`, `sent` or `failed`.
    pub status: String,
    /// Its template's name.
    pub template: String,
    /// To whom.
    pub recipient: String,
    /// Attempts that were settled.
    pub attempts: i32,
    /// What the last one said, if it failed.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it is tried next, while it is to be.
    pub next_attempt_at: Option<Timestamp>,
    /// When the server took it.
    pub sent_at: Option<Timestamp>,
    /// Its event, once it was taken up: attempts, dead letter and replay are there.
    pub event_id: Option<EventId>,
}

/// Everything about one mail but its variables' values.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MailShown {
    /// As in a listing.
    #[serde(flatten)]
    pub line: MailLine,
    /// The source whose event queued it; empty for another application.
    pub source: String,
    /// The event that queued it.
    pub queued_by: Option<EventId>,
    /// The names of its variables; none once it is sent.
    pub variables: Vec<String>,
    /// Under this key it is queued once.
    pub dedupe_key: String,
}

const LINE: &str = "id, status, template, recipient, attempts, last_error, created_at,
    case when status in ('pending', 'sending') then next_attempt_at end, sent_at, job_id";

fn line(row: &Row) -> MailLine {
    MailLine {
        id: row.get(0),
        status: row.get(1),
        template: row.get(2),
        recipient: row.get(3),
        attempts: row.get(4),
        last_error: row.get(5),
        created_at: row.get(6),
        next_attempt_at: row.get(7),
        sent_at: row.get(8),
        event_id: row.get::<_, Option<Uuid>>(9).map(EventId::from_uuid),
    }
}

impl Store {
    /// Mails that match, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn mails(&self, filter: &MailFilter, limit: u32) -> Result<Vec<MailLine>, StoreError> {
        let client = self.client().await?;
        let sql = format!(
            "/* mails */ select {LINE} from email_queue
             where ($1::text is null or status = $1) and ($2::text is null or template = $2)
                 and ($3::text is null or recipient = $3)
             order by created_at desc, id desc limit $4"
        );
        let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&filter.status, &filter.template, &filter.recipient, &i64::from(limit)];
        Ok(client.query(&sql, values).await?.iter().map(line).collect())
    }

    /// One mail; `None` where there is none of this id.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail_shown(&self, id: Uuid) -> Result<Option<MailShown>, StoreError> {
        let client = self.client().await?;
        let sql = format!(
            "/* mail_shown */ select {LINE}, source, event_id, dedupe_key,
                 array(select jsonb_object_keys(case jsonb_typeof(data) when 'object' then data else '{{}}' end) order by 1)
             from email_queue where id = $1"
        );
        Ok(client.query_opt(&sql, &[&id]).await?.map(|row| MailShown {
            line: line(&row),
            source: row.get(10),
            queued_by: row.get::<_, Option<Uuid>>(11).map(EventId::from_uuid),
            dedupe_key: row.get(12),
            variables: row.get(13),
        }))
    }
}
