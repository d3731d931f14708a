//! SMTP: one connection a mail, encrypted before anything is said that matters.
//!
//! A connection of its own keeps mails apart: nothing that one leaves behind can be taken for another's answer. What the
//! server says of us (no connection, no TLS, no leave to log in, 421) is no mail's fault; 4xx of a mail is tried again,
//! 5xx is not.

use std::{fmt, io, time::Duration};

use lettre::{
    Address, Message,
    message::{
        Mailbox as LettreMailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use lychgate_common::settings::{MailSettings, Mailbox, SmtpTls};

use super::courier::{Fate, Letter, Sender, Unsent, Whose};

/// "Service not available, closing": RFC 5321, 4.2.3.
const CLOSING: u16 = 421;

/// "Who are you?" in its forms: RFC 4954, 6.
const UNKNOWN: [u16; 4] = [530, 534, 535, 538];

/// How we are answered to: RFC 3834 asks programs to say that they are programs.
const AUTOMATIC: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// An SMTP server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Option<TlsParameters>,
    /// Whether TLS begins with the first byte.
    wrapped: bool,
    credentials: Option<Credentials>,
    hello: ClientId,
    timeout: Duration,
    from: LettreMailbox,
    reply_to: Option<LettreMailbox>,
    /// The right half of every `Message-ID`.
    domain: String,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Smtp {
    /// As the settings describe it.
    pub(super) fn open(settings: &MailSettings, host: &str, sender: Sender) -> io::Result<Self> {
        let tls = match settings.smtp_tls {
            SmtpTls::None => None,
            SmtpTls::StartTls | SmtpTls::Tls => Some(TlsParameters::new(host.to_owned()).map_err(io::Error::other)?),
        };
        let credentials = settings.smtp_user.as_ref().zip(settings.smtp_password.as_ref());
        let credentials = credentials.map(|(user, password)| {
            Credentials::new(user.clone(), password.expose_str().unwrap_or_default().to_owned())
        });
        Ok(Self {
            host: host.to_owned(),
            port: settings.smtp_port.unwrap_or(settings.smtp_tls.port()),
            tls,
            wrapped: settings.smtp_tls == SmtpTls::Tls,
            credentials,
            hello: ClientId::Domain(rustix::system::uname().nodename().to_string_lossy().into_owned()),
            timeout: settings.timeout,
            domain: sender.from.domain().to_owned(),
            from: mailbox(&sender.from)?,
            reply_to: sender.reply_to.as_ref().map(mailbox).transpose()?,
        })
    }

    /// For the log.
    pub(super) fn shown(&self) -> String {
        format!("SMTP to {}:{}", self.host, self.port)
    }

    /// Sends one mail.
    pub(super) async fn send(&self, letter: &Letter<'_>) -> Result<(), Unsent> {
        let message = self.message(letter)?;
        let (envelope, bytes) = (message.envelope().clone(), message.formatted());
        let mut connection = self.connect().await?;
        let answer = connection.send(&envelope, &bytes).await;
        // The mail is theirs, or not, whatever becomes of the good-bye.
        tokio::spawn(async move { connection.abort().await });
        answer.map(drop).map_err(refused)
    }

    /// A connection that may send: encrypted where it must be, logged in where it can be.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Unsent> {
        let server = (self.host.as_str(), self.port);
        let wrapper = self.tls.clone().filter(|_| self.wrapped);
        let connected =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &self.hello, wrapper, None).await;
        let mut connection = connected.map_err(|error| {
            servers(
                "mail_unreachable",
                format!("no connection to the mail server at {}:{}", self.host, self.port),
                error,
            )
        })?;
        if let Some(tls) = self.tls.clone().filter(|_| !self.wrapped) {
            let began = connection.starttls(tls, &self.hello).await;
            began.map_err(|error| servers("mail_tls", "the mail server does not let us encrypt".to_owned(), error))?;
        }
        if let Some(credentials) = &self.credentials {
            let known = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await;
            known.map_err(|error| {
                servers("mail_login", "the mail server does not let us log in: see mail.smtp_user".to_owned(), error)
            })?;
        }
        Ok(connection)
    }

    fn message(&self, letter: &Letter<'_>) -> Result<Message, Unsent> {
        let wrong = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| Unsent {
            class: "mail_unwritable",
            fate: Fate::Stays,
            whose: Whose::Mails,
            message: format!("the mail cannot be written: {what}"),
            beneath: Some(error),
        };
        let to: Address =
            letter.to.parse().map_err(|error: lettre::address::AddressError| wrong("its recipient", error.into()))?;
        let mut message = Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.id, self.domain)))
            .date(letter.date.into())
            .from(self.from.clone())
            .to(LettreMailbox::new(None, to))
            .subject(letter.rendered.subject.as_str());
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        let text = letter.rendered.text.clone();
        let written = match &letter.rendered.html {
            None => message.singlepart(SinglePart::plain(text)),
            Some(html) => message.multipart(MultiPart::alternative_plain_html(text, html.clone())),
        };
        let mut written = written.map_err(|error| wrong("its words", error.into()))?;
        let (name, value) = AUTOMATIC;
        let name = HeaderName::new_from_ascii_str(name);
        written.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        Ok(written)
    }
}

fn mailbox(mailbox: &Mailbox) -> io::Result<LettreMailbox> {
    let address = mailbox.address.parse().map_err(io::Error::other)?;
    Ok(LettreMailbox::new(mailbox.name.clone(), address))
}

fn servers(class: &'static str, message: String, error: Error) -> Unsent {
    Unsent { class, fate: Fate::Passes(None), whose: Whose::Servers, message, beneath: Some(Box::new(error)) }
}

/// What an answer to a mail means.
fn refused(error: Error) -> Unsent {
    match error.status().map(u16::from) {
        Some(CLOSING) => servers("mail_server_closing", "the mail server takes no mails now".to_owned(), error),
        Some(code) if UNKNOWN.contains(&code) => {
            let words = format!("the mail server wants to know who we are ({code}): see mail.smtp_user");
            servers("mail_login", words, error)
        }
        Some(code) if error.is_permanent() => Unsent {
            class: "mail_refused",
            fate: Fate::Stays,
            whose: Whose::Mails,
            message: format!("the mail server refused the mail for good ({code})"),
            beneath: Some(Box::new(error)),
        },
        Some(code) => Unsent {
            class: "mail_put_off",
            fate: Fate::Passes(None),
            whose: Whose::Mails,
            message: format!("the mail server put the mail off ({code})"),
            beneath: Some(Box::new(error)),
        },
        None => servers("mail_broken", "the connection to the mail server broke".to_owned(), error),
    }
}
