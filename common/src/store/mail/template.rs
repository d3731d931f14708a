//! Texts of mails, as operators keep them. What they mean is for whoever renders them.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    event::EventId,
    store::{Store, StoreError},
};

/// A mail's text, with `{{variables}}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MailTemplate {
    /// Its name.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// What is to be set; what is `None` stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct NewTemplate<'a> {
    /// Its name.
    pub name: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// The text.
    pub text: &'a str,
    /// The same as HTML.
    pub html: Option<&'a str>,
}

const COLUMNS: &str = "name, subject, body, html, updated_at";

/// Reads a template's columns from `first` on.
pub(super) fn template(row: &Row, first: usize) -> MailTemplate {
    MailTemplate {
        name: row.get(first),
        subject: row.get(first + 1),
        text: row.get(first + 2),
        html: row.get(first + 3),
        updated_at: row.get(first + 4),
    }
}

impl Store {
    /// All templates by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail_templates(&self) -> Result<Vec<MailTemplate>, StoreError> {
        let client = self.client().await?;
        let sql = format!("/* mail_templates */ select {COLUMNS} from email_template order by name");
        Ok(client.query(&sql, &[]).await?.iter().map(|row| template(row, 0)).collect())
    }

    /// One template.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail_template(&self, name: &str) -> Result<Option<MailTemplate>, StoreError> {
        let client = self.client().await?;
        let sql = format!("/* mail_template */ select {COLUMNS} from email_template where name = $1");
        Ok(client.query_opt(&sql, &[&name]).await?.map(|row| template(&row, 0)))
    }

    /// Sets a template as a whole, in the place of any other of the name. Audited in the same statement, with what was
    /// there before.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_mail_template(&self, new: &NewTemplate<'_>, actor: &str) -> Result<(), StoreError> {
        let now = self.clock().now();
        let client = self.client().await?;
        client
            .execute(
                "/* mail_template_set */
                with before as (select to_jsonb(t) as old from email_template t where name = $1), kept as (
                    insert into email_template (name, subject, body, html, updated_at) values ($1, $2, $3, $4, $5)
                    on conflict (name) do update set subject = excluded.subject, body = excluded.body,
                        html = excluded.html, updated_at = excluded.updated_at
                    returning name
                )
                insert into audit (id, at, actor, action, subject, detail)
                select $6, $5, $7, 'mail.template', name, jsonb_build_object('before', (select old from before)) from kept",
                &[&new.name, &new.subject, &new.text, &new.html, &now, &EventId::new(now).uuid(), &actor],
            )
            .await?;
        Ok(())
    }
}
