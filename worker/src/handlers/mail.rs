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

/// Mails to be sent. Its other columns (status, attempts …) are the sender's, and start with the schema's defaults.
pub static EMAIL_QUEUE: Table = Table {
    name: "email_queue",
    key: &["dedupe_key"],
    columns: &["template", "recipient", "data", "source", "event_id"],
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
    /// `name`, `link`, `expires_at`.
    Welcome,
}

impl Template {
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

/// Queues a mail. `what` tells mails of one template and source apart (a payment, an event): one of each is sent.
pub fn queue(event: &Event, template: Template, recipient: &str, what: &str, data: Value) -> Change {
    let row = row! {
        "dedupe_key" => format!("{}/{}/{what}", template.name(), event.source),
        "template" => template.name(),
        "recipient" => recipient,
        "data" => data,
        "source" => *event.source,
        "event_id" => event.id,
    };
    Change::append(&EMAIL_QUEUE, row)
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
