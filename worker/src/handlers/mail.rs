//! Mails as changes: rows of `email_queue`, which are sent by another room.
//!
//! Handlers of every source share it. A mail is queued in the transaction that finishes its event, and at most once
//! under its key, whatever is repeated or replayed. Nothing here sends or renders.

use lychgate_common::{
    change::{Change, Table},
    event::Event,
    row,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Mails to be sent. Its other columns (status, attempts …) are the sender's, and start with the schema's defaults.
pub static EMAIL_QUEUE: Table = Table {
    name: "email_queue",
    key: &["dedupe_key"],
    columns: &["id", "template", "recipient", "data", "magic_link", "source", "event_id"],
};

/// Longest address that RFC 5321 knows.
const ADDRESS_LIMIT: usize = 254;

/// The templates that the schema brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Template {
    /// `order_id`, `amount`.
    OrderConfirmation,
    /// `amount`, `subject`, `reason`.
    PaymentFailed,
    /// `link`, `expires_at`.
    PasswordReset,
    /// `name`, `quote_id`.
    QuoteSubmission,
    /// `name`, and what its `magic_link` gives: `link`, `expires_at`.
    Welcome,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OrderConfirmation, Self::PaymentFailed, Self::PasswordReset, Self::QuoteSubmission, Self::Welcome];

    /// Its name in `email_template`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderConfirmation => "order_confirmation",
            Self::PaymentFailed => "payment_failed",
            Self::PasswordReset => "password_reset",
            Self::QuoteSubmission => "quote_submission",
            Self::Welcome => "welcome",
        }
    }
}

/// A mail under its key.
#[derive(Clone, PartialEq, Debug)]
pub struct Queued<'a> {
    /// One mail is sent under it, whatever is repeated.
    pub key: &'a str,
    /// What it says.
    pub template: Template,
    /// To whom.
    pub recipient: &'a str,
    /// The template's variables.
    pub data: Value,
    /// A page that signs its reader in: the mail's `link` is this with the reader's token, made when it is sent.
    pub magic_link: Option<&'a str>,
}

impl Queued<'_> {
    /// As a change that this event makes.
    pub fn by(self, event: &Event) -> Change {
        let row = row! {
            "dedupe_key" => self.key,
            // Always given: what a row of a batch leaves out is one default for all of them.
            "id" => id_of(self.key),
            "template" => self.template.name(),
            "recipient" => self.recipient,
            "data" => self.data,
            "magic_link" => self.magic_link,
            "source" => *event.source,
            "event_id" => event.id,
        };
        Change::append(&EMAIL_QUEUE, row)
    }
}

/// The id of the mail with this key: it follows from the key, so that whoever queues it first, it is the same mail.
pub fn id_of(key: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = hash;
    Uuid::new_v8([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Queues a mail. `what` tells mails of one template and source apart (a payment, an event): one of each is sent.
pub fn queue(event: &Event, template: Template, recipient: &str, what: &str, data: Value) -> Change {
    let key = format!("{}/{}/{what}", template.name(), event.source);
    Queued { key: &key, template, recipient, data, magic_link: None }.by(event)
}

/// An address that a mail can be sent to; `None` for what is none (and for what would smuggle a header in).
pub fn address(text: &str) -> Option<&str> {
    let text = text.trim();
    let (mailbox, domain) = text.rsplit_once('@')?;
    let plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    let fits = text.len() <= ADDRESS_LIMIT && plain(mailbox) && plain(domain) && !text.contains([',', ';', '<', '>']);
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_address_is_one() {
        assert_eq!(address(" jane@example.com "), Some("jane@example.com"));
        for bad in ["", "jane", "@example.com", "jane@", "a@b, c@d", "a@b\r\nBcc: c@d", "Jane <a@b>", &"x@y".repeat(99)]
        {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
