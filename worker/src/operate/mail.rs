//! What operators do to mails: keep their texts, and try whether the house can send at all.
//!
//! A text that cannot be read is refused before it is kept. Mails themselves are replayed and given up as the events that
//! they are.

use jiff::Timestamp;
use lychgate_common::{
    event::EventId,
    settings::MailSettings,
    store::{NewTemplate, Store, StoreError},
};

use crate::{
    handler::Failure,
    handlers::mail::address,
    mail::{Courier, Letter, Rendered, TemplateFault, checked},
};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The text cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateFault),
    /// Not one address.
    #[error("`{0}` is not one e-mail address")]
    Address(String),
    /// There is no way to send.
    #[error("no way to send mails is set: see mail.by")]
    Unconfigured,
    /// The courier cannot be made.
    #[error("the settings of [mail] cannot be used")]
    Settings(#[source] std::io::Error),
    /// It did not go.
    #[error("{0}")]
    Unsent(String),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps a template in the place of any other of its name. It holds from the next mail on, those that wait included.
///
/// # Errors
/// [`MailError::Template`] where it cannot be read; nothing is changed then.
pub async fn set_template(store: &Store, new: &NewTemplate<'_>, actor: &str) -> Result<(), MailError> {
    checked(new.subject, new.text, new.html)?;
    Ok(store.set_mail_template(new, actor).await?)
}

/// Sends a mail that says that mails can be sent, past queue and ledger; says which way it went.
///
/// # Errors
/// Why it did not go, with the server's words.
pub async fn send_test(settings: &MailSettings, to: &str, now: Timestamp) -> Result<String, MailError> {
    let to = address(to).ok_or_else(|| MailError::Address(to.to_owned()))?;
    let courier = Courier::open(settings).map_err(MailError::Settings)?.ok_or(MailError::Unconfigured)?;
    let rendered = Rendered {
        subject: "A test of Lychgate's mails".to_owned(),
        text: "This mail was sent by `lychgate mail send-test`. If you can read it, mails can be sent.\n".to_owned(),
        html: None,
    };
    let letter = Letter { id: EventId::new(now).uuid(), to, rendered: &rendered, date: now };
    courier
        .send(&letter, now)
        .await
        .map_err(|failure: Failure| MailError::Unsent(failure.cause().stack().join(": ")))?;
    Ok(courier.way())
}
