//! Sending mails: each is an event of the ledger, so that it is tried, retried, buried, rehearsed and replayed like any.
//!
//! ```text
//! email_queue -> take up -> (event, queue) -> look up -> link? -> render -> send -> settle: sent, sending or failed
//! ```
//! The event holds the mail's id alone; texts and variables stay in the row, and are gone from it once it is sent. Nothing
//! here writes: what becomes of a mail is written when its attempt is settled.

mod courier;
mod link;
mod provider;
mod render;
mod smtp;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use lychgate_common::{
    change::{Change, Table, Version},
    event::Event,
    row,
    store::{Mail, Store, StoreError, Verdict},
    vault::Vault,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use self::link::Link;
pub use self::{
    courier::{Courier, Letter},
    render::{Rendered, TemplateFault, checked},
};
use crate::{
    handler::{Cause, Failure, Handled, Handler, Noted},
    handlers::mail::address,
};

/// What becomes of a mail: the columns of `email_queue` that are the sender's.
static SENDING: Table = Table {
    name: "email_queue",
    key: &["id"],
    columns: &["status", "attempts", "last_error", "next_attempt_at", "sent_at", "data", "updated_at"],
};

/// The body of a mail's event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The mail's id.
    pub(crate) mail: Uuid,
}

impl Job {
    /// As the ledger keeps it.
    pub(crate) fn to_bytes(self) -> Bytes {
        Bytes::from(json!(self).to_string())
    }

    fn of(event: &Event) -> Option<Self> {
        serde_json::from_slice(&event.body).ok()
    }
}

/// The handler of mails.
#[derive(Clone, Debug)]
pub struct Mails {
    store: Store,
    vault: Option<Arc<Vault>>,
    courier: Option<Courier>,
}

/// A mail that may be sent, or need not be.
enum Composed {
    Ready { mail: Box<Mail>, rendered: Rendered, changes: Vec<Change> },
    Moot(&'static str),
}

impl Mails {
    /// Without a courier, mails come back at no cost of an attempt.
    pub fn new(store: Store, vault: Option<Arc<Vault>>, courier: Option<Courier>) -> Self {
        Self { store, vault, courier }
    }

    async fn send(&self, event: &Event) -> Result<Handled, Failure> {
        let Some(courier) = &self.courier else {
            return Err(Failure::Ours(Cause::new("mail_unconfigured", "this worker has no way to send mails")));
        };
        let (mail, rendered, changes) = match self.compose(event, false).await? {
            Composed::Ready { mail, rendered, changes } => (mail, rendered, changes),
            Composed::Moot(why) => return Ok(Handled::ignored(why)),
        };
        let letter = Letter { id: mail.id, to: recipient(&mail)?, rendered: &rendered, date: mail.created_at };
        courier.send(&letter, self.store.clock().now()).await?;
        Ok(Handled::changes(changes))
    }

    async fn compose(&self, event: &Event, hidden: bool) -> Result<Composed, Failure> {
        let job = Job::of(event).ok_or_else(|| Failure::permanent("mail_job", "the event names no mail"))?;
        let found = self.store.mail(job.mail).await.map_err(ours)?;
        let Some(mut mail) = found else {
            return Err(Failure::permanent("mail_gone", format!("there is no mail {} in email_queue", job.mail)));
        };
        let Some(template) = mail.template.take() else {
            let message =
                format!("there is no template `{}`: make one with `lychgate mail templates set`", mail.template_name);
            return Err(Failure::permanent("mail_template_missing", message));
        };
        let mut changes = Vec::new();
        if let Some(page) = mail.magic_link.clone() {
            match link::link(&self.store, self.vault.as_deref(), event, &mail, &page).await? {
                Link::Moot(why) => return Ok(Composed::Moot(why)),
                Link::Live { link, expires_at, renewal } => {
                    let link =
                        if hidden { "(the link lets in whoever has it, and is not shown)" } else { link.as_str() };
                    mail.data.insert("link".to_owned(), link.into());
                    mail.data.insert("expires_at".to_owned(), expires_at.into());
                    changes.extend(renewal.map(|renewal| *renewal));
                }
            }
        }
        let rendered = render::render(&template, &mail.data).map_err(TemplateFault::into_failure)?;
        Ok(Composed::Ready { mail: Box::new(mail), rendered, changes })
    }

    async fn show(&self, event: &Event) -> Result<Handled, Failure> {
        match self.compose(event, true).await? {
            Composed::Moot(why) => Ok(Handled::ignored(why)),
            Composed::Ready { mail, rendered, changes } => {
                let reply = json!({
                    "would_be_sent_to": recipient(&mail)?,
                    "subject": rendered.subject,
                    "text": rendered.text,
                    "html": rendered.html,
                    "configured": self.courier.is_some(),
                });
                Ok(Handled { changes, reply: Some(reply), ..Handled::default() })
            }
        }
    }
}

fn recipient(mail: &Mail) -> Result<&str, Failure> {
    let words = || format!("the recipient is not one e-mail address: {:?}", mail.recipient);
    address(&mail.recipient).ok_or_else(|| Failure::permanent("mail_recipient", words()))
}

pub(crate) fn ours(error: StoreError) -> Failure {
    Failure::Ours(Cause::from("store", "the database cannot be asked", error))
}

impl Handler for Mails {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.send(event))
    }

    /// Sends nothing: shows the mail as it would be sent, without a link that lets somebody in.
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.show(event))
    }

    /// Keeps in the mail's row what became of it.
    fn note(&self, noted: &Noted<'_>) -> Vec<Change> {
        let Some(job) = Job::of(noted.event) else { return Vec::new() };
        let now = self.store.clock().now();
        let attempt = noted.attempt.number();
        // A NUL, which PostgreSQL's text cannot hold, would have the whole settlement refused.
        let said = noted.error.map(|error| error.message.replace('\0', ""));
        let mut row = row! { "id" => job.mail, "attempts" => attempt, "last_error" => said, "updated_at" => now };
        let more = match noted.verdict {
            // What was in it is with its reader now.
            Verdict::Succeeded => row! { "status" => "sent", "sent_at" => now, "data" => json!({}) },
            Verdict::Ignored(why) => row! { "status" => "failed", "last_error" => why },
            Verdict::Retry { at, .. } => row! { "status" => "sending", "next_attempt_at" => at },
            Verdict::Dead { .. } => row! { "status" => "failed" },
        };
        row.extend(more);
        // Attempts are settled in their order, whatever the workers' clocks say.
        let version = Version::told(noted.event.received_at, &format!("{attempt:010}"));
        vec![Change::Merge { table: &SENDING, row, initial: row! {}, version, only_existing: true }]
    }
}
