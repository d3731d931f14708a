//! The courier: one way to send, behind a breaker and a bound on mails under way.
//!
//! What the server says of one mail is that mail's trouble; silence, a refusal of us, or "not now" is the server's, and
//! enough of that in a row leaves it alone for a while. A mail whose turn does not come costs no attempt.

use std::{
    error::Error,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lychgate_common::settings::{MailBy, MailSettings, Mailbox};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{provider::Provider, render::Rendered, smtp::Smtp};
use crate::{
    breaker::{BreakerSettings, Breakers},
    handler::{Cause, Failure},
};

/// How long a mail waits for its turn.
const TURN: Duration = Duration::from_secs(1);

/// A mail, ready to go.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// What tells it from every other mail, also to the server and to its reader's.
    pub id: Uuid,
    /// One address.
    pub to: &'a str,
    /// Its words.
    pub rendered: &'a Rendered,
    /// Its date: the same at every attempt, as all of it is.
    pub date: Timestamp,
}

/// Who it is from.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
}

/// A mail that did not go.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) class: &'static str,
    pub(super) fate: Fate,
    /// Whose trouble it is.
    pub(super) whose: Whose,
    pub(super) message: String,
    pub(super) beneath: Option<Box<dyn Error + Send + Sync>>,
}

/// Whether trying again can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It cannot.
    Stays,
    /// It can, and not before.
    Passes(Option<Duration>),
}

/// Whose trouble a failure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    /// The server's, or ours with it: counts for the breaker.
    Servers,
    /// This mail's.
    Mails,
}

#[derive(Debug)]
enum Way {
    Smtp(Smtp),
    Provider(Provider),
}

/// The courier. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Courier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Way,
    breakers: Breakers,
    turns: Semaphore,
    timeout: Duration,
}

impl Courier {
    /// A courier as the settings describe it; `None` where they name no way to send.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or an address is none.
    pub fn open(settings: &MailSettings) -> io::Result<Option<Self>> {
        let Some(from) = settings.from.clone() else { return Ok(None) };
        let sender = Sender { from, reply_to: settings.reply_to.clone() };
        let way = match (settings.by, &settings.smtp_host, &settings.api_key) {
            (Some(MailBy::Smtp), Some(host), _) => Way::Smtp(Smtp::open(settings, host, sender)?),
            (Some(MailBy::Api), _, Some(key)) => Way::Provider(Provider::open(settings, key, sender)?),
            // Settings that name a way name what it needs.
            (_, _, _) => return Ok(None),
        };
        let breaker = BreakerSettings::new(settings.breaker_failures.into(), settings.breaker_pause);
        Ok(Some(Self(Arc::new(Inner {
            way,
            breakers: Breakers::new(breaker),
            turns: Semaphore::new(usize::from(settings.connections)),
            timeout: settings.timeout,
        }))))
    }

    /// Its one breaker, for metrics and the console.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// Where mails go, for the log's first lines.
    pub fn way(&self) -> String {
        match &self.0.way {
            Way::Smtp(smtp) => smtp.shown(),
            Way::Provider(provider) => provider.shown(),
        }
    }

    /// Sends one mail. Returns once the server has said that it has it.
    ///
    /// # Errors
    /// Why it did not go, in a handler's terms.
    pub async fn send(&self, letter: &Letter<'_>, now: Timestamp) -> Result<(), Failure> {
        let Inner { way, breakers, turns, timeout } = &*self.0;
        let Ok(Ok(_turn)) = tokio::time::timeout(TURN, turns.acquire()).await else {
            return Err(Failure::Ours(Cause::new("mail_crowded", "enough mails are under way already")));
        };
        let permit = breakers.of("mail").admit(Instant::now()).map_err(|open| {
            let words = "the mail server failed too often lately and is left alone for a while";
            let retry_after = Some(open.retry_in);
            Failure::Temporary { cause: Cause::from("mail_circuit_open", words, open), retry_after }
        })?;
        let exchange = async {
            match way {
                Way::Smtp(smtp) => smtp.send(letter).await,
                Way::Provider(provider) => provider.send(letter, now).await,
            }
        };
        let sent = tokio::time::timeout(*timeout, exchange).await.unwrap_or_else(|_| Err(late(*timeout)));
        match sent {
            Ok(()) => permit.succeeded(),
            Err(Unsent { whose: Whose::Mails, .. }) => permit.succeeded(),
            Err(Unsent { whose: Whose::Servers, .. }) => permit.failed(Instant::now()),
        }
        sent.map_err(Unsent::into_failure)
    }
}

fn late(timeout: Duration) -> Unsent {
    Unsent {
        class: "mail_timeout",
        fate: Fate::Passes(None),
        whose: Whose::Servers,
        message: format!("the mail server did not answer within {} s", timeout.as_secs_f32()),
        beneath: None,
    }
}

impl Unsent {
    fn into_failure(self) -> Failure {
        let cause = Cause { class: self.class, message: self.message, source: self.beneath };
        match self.fate {
            Fate::Stays => Failure::Permanent(cause),
            Fate::Passes(retry_after) => Failure::Temporary { cause, retry_after },
        }
    }
}
