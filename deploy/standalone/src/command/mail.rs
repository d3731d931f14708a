//! `lychgate mail`: what mails wait and what became of them, their texts, and whether they can be sent.
//!
//! A mail that failed is a dead letter of the source `mail`: `lychgate dead-letters` deals with it.

mod templates;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use lychgate_common::store::{MailFilter, MailLine, Store};
use lychgate_worker::operate::mail;
use uuid::Uuid;

use self::templates::Templates;
use crate::{
    output::{self, Usage, clean},
    settings::Found,
};

/// What can be asked about mails.
#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// List mails, the newest first
    List(List),
    /// Show one mail, without what its variables hold
    Show(Show),
    /// Send a mail that says that mails can be sent, and say what the server answered
    SendTest(SendTest),
    /// The texts
    #[command(subcommand)]
    Templates(Templates),
}

/// Options of `mail list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only with this status
    #[arg(long)]
    status: Option<MailStatus>,
    /// Only of this template
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Only to this address
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A mail's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum MailStatus {
    /// Not taken up yet
    Pending,
    /// Being sent, or between two attempts
    Sending,
    /// The server has it
    Sent,
    /// Given up
    Failed,
}

impl MailStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// Options of `mail show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The mail's id
    id: Uuid,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `mail send-test`.
#[derive(Debug, Args)]
pub(crate) struct SendTest {
    /// To whom
    #[arg(long, value_name = "ADDRESS")]
    to: String,
}

/// Does what was asked.
pub(crate) async fn run(asked: &Mail, found: &Found) -> anyhow::Result<()> {
    match asked {
        Mail::SendTest(test) => send_test(test, found).await,
        Mail::List(list) => list_mails(list, &found.store().await?).await,
        Mail::Show(show) => show_mail(show, &found.store().await?).await,
        Mail::Templates(asked) => templates::run(asked, &found.store().await?).await,
    }
}

async fn send_test(test: &SendTest, found: &Found) -> anyhow::Result<()> {
    let now = lychgate_common::clock::Clock::system().now();
    let sent = mail::send_test(&found.settings.mail, &test.to, now).await;
    let way = sent.map_err(|error| match error {
        mail::MailError::Address(_) | mail::MailError::Unconfigured => anyhow::Error::new(Usage(error.to_string())),
        error => anyhow::Error::new(error).context("the test mail was not sent"),
    })?;
    output::line(format_args!("sent to {} ({way})", test.to));
    Ok(())
}

async fn list_mails(list: &List, store: &Store) -> anyhow::Result<()> {
    let filter = MailFilter {
        status: list.status.map(|status| status.name().to_owned()),
        template: list.template.clone(),
        recipient: list.to.clone(),
    };
    let mails = store.mails(&filter, list.limit).await?;
    for mail in &mails {
        if list.json {
            output::json(mail)?;
        } else {
            output::line(line(mail));
        }
    }
    if mails.is_empty() && !list.json {
        output::aside("no mail matches");
    }
    Ok(())
}

fn line(mail: &MailLine) -> String {
    let mut line = format!(
        "{}  {:<7}  {}  {} to {}",
        mail.id,
        mail.status,
        mail.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        clean(&mail.template),
        clean(&mail.recipient),
    );
    if let Some(error) = &mail.last_error {
        line.push_str(&format!("  ({})", clean(error)));
    }
    line
}

async fn show_mail(show: &Show, store: &Store) -> anyhow::Result<()> {
    let found = store.mail_shown(show.id).await?;
    let mail = found.with_context(|| format!("there is no mail {}", show.id))?;
    if show.json {
        return output::json(&mail);
    }
    output::line(line(&mail.line));
    let by = if mail.source.is_empty() { "another application".to_owned() } else { mail.source.clone() };
    output::line(format_args!("queued by   {}", clean(&by)));
    output::line(format_args!("key         {}", clean(&mail.dedupe_key)));
    output::line(format_args!("variables   {}", clean(&mail.variables.join(", "))));
    output::line(format_args!("attempts    {}", mail.line.attempts));
    if let Some(at) = mail.line.next_attempt_at {
        output::line(format_args!("next        {at}"));
    }
    if let Some(at) = mail.line.sent_at {
        output::line(format_args!("sent        {at}"));
    }
    if let Some(id) = mail.line.event_id {
        output::line(format_args!("event       {id}  (lychgate events show {id})"));
    }
    Ok(())
}
