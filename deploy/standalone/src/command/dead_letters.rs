//! `lychgate dead-letters`: what could not be processed, until somebody has dealt with it.

mod deeds;
mod selection;

use clap::{Args, Subcommand};
use lychgate_common::{
    event::EventId,
    store::{DeadLetter, DeadLetterGroup, Page, Store},
};
use lychgate_worker::{operate::rehearse::rehearse, process::handlers};
use serde_json::Value;

use self::{
    deeds::{Discard, Replay},
    selection::Selection,
};
use super::events::print_page;
use crate::{
    output::{self, clean},
    settings::Found,
};

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List dead letters, the newest first
    List(List),
    /// Group dead letters by cause, the most frequent first
    Groups(Groups),
    /// Show one: why it failed, its chain of causes, headers, body and attempts
    Show(One),
    /// Handle one without any effect and show what would become of it now
    Rehearse(One),
    /// Process dead letters again: a few first, then more, halting when those fail again
    Replay(Replay),
    /// Give dead letters up for good, with a reason
    Discard(Discard),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    selection: Selection,
    /// Only dead letters older than this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    before: Option<EventId>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of `groups`.
#[derive(Debug, Args)]
pub(crate) struct Groups {
    #[command(flatten)]
    selection: Selection,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// One dead letter.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The event's id
    id: EventId,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) async fn run(letters: &DeadLetters, found: &Found) -> anyhow::Result<()> {
    match letters {
        DeadLetters::List(list) => list_letters(list, &found.store().await?).await,
        DeadLetters::Groups(groups) => list_groups(groups, &found.store().await?).await,
        DeadLetters::Show(one) => show(one, &found.store().await?).await,
        DeadLetters::Rehearse(one) => rehearse_one(one, found).await,
        DeadLetters::Replay(replay) => deeds::replay(replay, found).await,
        DeadLetters::Discard(discard) => deeds::discard(discard, &found.store().await?).await,
    }
}

async fn list_letters(list: &List, store: &Store) -> anyhow::Result<()> {
    let filter = list.selection.filter(store.clock());
    let letters = store.dead_letters(&filter, Page { limit: list.limit, after: list.before }).await?;
    for letter in &letters {
        if list.json { output::json(letter)? } else { output::line(row(letter)) }
    }
    if letters.is_empty() {
        output::aside("no dead letters");
    } else if u32::try_from(letters.len()) == Ok(list.limit)
        && let Some(last) = letters.last()
    {
        output::aside(format_args!("there may be more: --before {}", last.id));
    }
    Ok(())
}

fn row(letter: &DeadLetter) -> String {
    let DeadLetter { id, died_at, fingerprint, attempts, .. } = letter;
    let (source, kind) = (clean(&letter.source), clean(&letter.kind));
    format!(
        "{id}  {died_at:.3}  {fingerprint}  {attempts:>2}  {source}  {kind}  {}: {}",
        letter.class,
        clean(&letter.message)
    )
}

async fn list_groups(groups: &Groups, store: &Store) -> anyhow::Result<()> {
    let found = store.dead_letter_groups(&groups.selection.filter(store.clock())).await?;
    for group in &found {
        if groups.json { output::json(group)? } else { output::line(group_row(group)) }
    }
    if found.is_empty() {
        output::aside("no dead letters");
    }
    Ok(())
}

/// One cause in a line.
fn group_row(group: &DeadLetterGroup) -> String {
    let DeadLetterGroup { fingerprint, count, first_seen, last_seen, class, .. } = group;
    let (source, kind, message) = (clean(&group.source), clean(&group.kind), clean(&group.message));
    format!("{count:>6}  {fingerprint}  {source}  {kind}  {class}: {message}  ({first_seen:.0} to {last_seen:.0})")
}

async fn show(one: &One, store: &Store) -> anyhow::Result<()> {
    let letter = store.dead_letter(one.id).await?;
    let letter = letter.ok_or_else(|| anyhow::anyhow!("{} is no dead letter: `lychgate events show {0}`", one.id))?;
    if one.json {
        return output::json(&letter);
    }
    let dead = &letter.dead_letter;
    output::line(format_args!("{}: {}", dead.class, clean(&dead.message)));
    causes(&letter.error);
    output::line(format_args!(
        "died          {} after {} attempts, by {} ({})",
        dead.died_at, dead.attempts, dead.worker, dead.build
    ));
    output::line(format_args!("fingerprint   {}", dead.fingerprint));
    print_page(&letter.event);
    Ok(())
}

/// The chain of causes beneath the first, one a line.
fn causes(error: &Value) {
    let stack = error.get("stack").and_then(Value::as_array);
    for cause in stack.into_iter().flatten().skip(1).filter_map(Value::as_str) {
        output::line(format_args!("  because {}", clean(cause)));
    }
}

async fn rehearse_one(one: &One, found: &Found) -> anyhow::Result<()> {
    let (store, ground) = (found.store().await?, found.ground()?);
    let sources = lychgate_common::process::sources(&found.settings)?;
    let rehearsal = rehearse(&store, &handlers(&ground, &sources)?, one.id).await?;
    ground.close().await;
    let rehearsal = rehearsal.ok_or_else(|| anyhow::anyhow!("there is no event {}", one.id))?;
    if one.json {
        return output::json(&rehearsal);
    }
    output::line(format_args!("would be {}", rehearsal.outcome));
    if let Some(why) = &rehearsal.ignored {
        output::line(format_args!("because {}", clean(why)));
    }
    if let Some(error) = &rehearsal.error {
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        output::line(clean(message));
        causes(error);
    }
    for change in &rehearsal.changes {
        output::line(clean(&change.to_string()));
    }
    if let Some(reply) = &rehearsal.reply {
        output::line(format_args!("reply {}", clean(&reply.to_string())));
    }
    Ok(())
}
