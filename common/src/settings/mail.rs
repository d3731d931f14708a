//! `[mail]`: how the mails of `email_queue` leave the house: by SMTP, or by a provider's HTTP interface.
//!
//! Without either they wait, and nothing fails.

use std::time::Duration;

use url::Url;

use super::{setting::section, value::readable_text};
use crate::{secret::Secret, source::is_email};

section! {
    /// Sending mails. Without a way to send they stay pending.
    pub struct MailSettings in "mail" {
        /// How mails are sent: "smtp" through `smtp_host`, or "api" by a provider that has Resend's interface (`POST
        /// /emails` with `Idempotency-Key`) and has given you an `api_key`. Unset: mails wait, and nothing fails.
        by: Option<MailBy> = None;
        /// Who mails are from: an address, or `"Name <address>"`. The part behind its `@` is also the `Message-ID`'s.
        from: Option<Mailbox> = None;
        /// Where answers go, if not to `from`.
        reply_to: Option<Mailbox> = None;
        /// The SMTP server.
        smtp_host: Option<String> = None;
        /// Its port. Unset: 587 with "starttls", 465 with "tls", 25 with "none".
        smtp_port: Option<u16> = None;
        /// "starttls" begins in clear and goes no further than the server's refusal of TLS; "tls" from the first byte;
        /// "none" only within your own network.
        smtp_tls: SmtpTls = SmtpTls::StartTls;
        /// The user at the SMTP server. Unset: no authentication.
        smtp_user: Option<String> = None;
        /// The user's password, by reference.
        smtp_password: Option<Secret> = None;
        /// The provider's key, by reference.
        api_key: Option<Secret> = None;
        /// Where the provider's interface is.
        api_url: Url = resend();
        /// Whether the interface may have a private or loopback address. Only for one that you host yourself.
        allow_private: bool = false;
        /// For one mail, from the first byte to the server's word. Servers that check a mail before they take it need some
        /// seconds.
        timeout: Duration = Duration::from_secs(20), in Duration::from_millis(100)..=Duration::from_secs(120);
        /// Mails under way at once from one worker, each on a connection of its own. What is over waits a second, then
        /// comes back after the shortest delay at no cost of an attempt.
        connections: u16 = 4, in 1..=100;
        /// Mails that one worker begins in a minute at most, retries not counted. Unset: as fast as it goes.
        per_minute: Option<u16> = None;
        /// How often the queue is looked into, though nobody has told of a mail. What other applications write is told at
        /// once; this finds what was missed, and what was to wait until a time of its own.
        poll: Duration = Duration::from_secs(5), in Duration::from_millis(50)..=Duration::from_secs(3600);
        /// Failures in a row after which the server is left alone for a while.
        breaker_failures: u16 = 5, in 1..=1000;
        /// How long it is left alone before one mail probes it.
        breaker_pause: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(3600);
    }
}

/// The provider whose interface it is.
fn resend() -> Url {
    #[allow(clippy::expect_used, reason = "a literal that the test of the defaults reads")]
    Url::parse("https://api.resend.com/").expect("a URL")
}

impl MailSettings {
    /// Whether there is a way to send.
    pub fn is_configured(&self) -> bool {
        self.by.is_some()
    }
}

/// How mails are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailBy {
    /// Through an SMTP server.
    Smtp,
    /// By a provider's HTTP interface.
    Api,
}

impl MailBy {
    fn parse(text: &str) -> Option<Self> {
        [Self::Smtp, Self::Api].into_iter().find(|one| one.name() == text)
    }

    /// As written in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Api => "api",
        }
    }
}

readable_text!(MailBy, "\"smtp\" or \"api\"", MailBy::parse, |it| format!("\"{}\"", it.name()));

/// When a connection to an SMTP server is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpTls {
    /// After the server's first words, or not at all: then nothing is sent.
    StartTls,
    /// From the first byte.
    Tls,
    /// Never.
    None,
}

impl SmtpTls {
    fn parse(text: &str) -> Option<Self> {
        [Self::StartTls, Self::Tls, Self::None].into_iter().find(|one| one.name() == text)
    }

    /// As written in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// The port that RFC 8314 and RFC 5321 give to it.
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

readable_text!(SmtpTls, "\"starttls\", \"tls\" or \"none\"", SmtpTls::parse, |it| format!("\"{}\"", it.name()));

/// An address, perhaps with a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    /// For people.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

impl Mailbox {
    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// `address` or `Name <address>`, the name quoted where it must be.
    pub fn written(&self) -> String {
        match &self.name {
            None => self.address.clone(),
            Some(name) if name.chars().all(|c| c.is_alphanumeric() || c == ' ') => format!("{name} <{}>", self.address),
            Some(name) => format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), self.address),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (Some(name.trim().trim_matches('"').to_owned()), address),
            None => (None, text),
        };
        let name = name.filter(|name| !name.is_empty());
        let plain =
            name.as_deref().is_none_or(|name| !name.chars().any(|c| c.is_control() || matches!(c, '<' | '>' | '"')));
        (plain && is_email(address)).then(|| Self { name, address: address.to_owned() })
    }
}

readable_text!(Mailbox, "an address, or \"Name <address>\"", Mailbox::parse, |it| format!("{:?}", it.written()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_one_address_perhaps_with_a_name_and_never_a_header() {
        let named = Mailbox::parse("Acme, Inc. <shop@example.com>").unwrap();
        assert_eq!((named.domain(), named.written().as_str()), ("example.com", "\"Acme, Inc.\" <shop@example.com>"));
        assert_eq!(Mailbox::parse("shop@example.com").unwrap().written(), "shop@example.com");
        assert_eq!(Mailbox::parse(&named.written()), Some(named));
        for bad in ["shop", "Acme <shop>", "a@b.c, d@e.f", "A\r\nBcc: x <a@b.c>", "<a@b.c> <d@e.f>", ""] {
            assert_eq!(Mailbox::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_default_provider_is_a_url() {
        assert_eq!(MailSettings::default().api_url.host_str(), Some("api.resend.com"));
    }
}
