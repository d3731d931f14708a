//! `lychgate dead-letters`: understand a heap of dead letters, rehearse, replay with a canary, discard with a reason.
//!
//! Nothing is done to more than one event before a plan was shown; `--dry-run` shows it and stops, `--yes` agrees to it.

mod selection;

use std::{
    io::{IsTerminal, Write},
    num::NonZeroU32,
    sync::Arc,
};

use clap::{Args, Subcommand};
use lychgate_common::{
    event::EventId,
    process::Ground,
    stop::Stop,
    store::{DeadLetter, Deed, EventFilter, Page, Store},
};
use lychgate_worker::{
    operate::{
        actor,
        dead_letters::{self, Plan},
        rehearse,
        replay::{self, ReplayOrder},
    },
    process,
};

pub(crate) use self::selection::Selection;
use crate::{
    output::{self, Usage, clean},
    settings::Found,
};

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them, the latest first
    List(List),
    /// Group them by cause: source, type, class and message
    Groups(Groups),
    /// Show one: event, headers, body, attempts, chain of causes
    Show(Show),
    /// Run the handler now and show what it would change; changes nothing
    Rehearse(Show),
    /// Process them again: one first, then ten, then the rest; halts when too many fail again
    Replay(Replay),
    /// Give them up, with a reason
    Discard(Discard),
}

/// Options of `dead-letters list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    selection: Selection,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of `dead-letters groups`.
#[derive(Debug, Args)]
pub(crate) struct Groups {
    #[command(flatten)]
    selection: Selection,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Names one dead letter.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The event's id
    id: EventId,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What every deed wants to know.
#[derive(Debug, Args)]
pub(crate) struct Agreement {
    /// Only say how many, of what
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Why, for whoever comes after you
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who you are [default: the user who is signed in]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

/// Options of `dead-letters replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    agreement: Agreement,
    /// Size of the first wave, whose outcome is awaited; 0 replays all at once
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    canary: u32,
    /// Events a second at most
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    /// One JSON object with the report
    #[arg(long)]
    json: bool,
}

/// Options of `dead-letters discard`.
#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    agreement: Agreement,
}

/// Does what was asked.
pub(crate) async fn run(command: &DeadLetters, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    match command {
        DeadLetters::List(list) => run_list(list, &store).await,
        DeadLetters::Groups(groups) => run_groups(groups, &store).await,
        DeadLetters::Show(show) => run_show(show, &store).await,
        DeadLetters::Rehearse(show) => run_rehearse(show, found, &store).await,
        DeadLetters::Replay(replay) => run_replay(replay, &store).await,
        DeadLetters::Discard(discard) => run_discard(discard, &store).await,
    }
}

async fn run_list(list: &List, store: &Store) -> anyhow::Result<()> {
    let letters =
        store.dead_letters(&list.selection.filter(store.clock()), Page { limit: list.limit, after: None }).await?;
    for letter in &letters {
        if list.json { output::json(letter)? } else { output::line(row(letter)) }
    }
    if letters.is_empty() {
        output::aside("no such dead letters");
    }
    Ok(())
}

fn row(letter: &DeadLetter) -> String {
    let (id, at, attempts) = (letter.id, letter.died_at, letter.attempts);
    let (source, kind, class) = (clean(&letter.source), clean(&letter.kind), &letter.class);
    format!(
        "{id}  {at:.0}  {}  {attempts:>2}  {source}  {kind}  {class}: {}",
        letter.fingerprint,
        clean(&letter.message)
    )
}

async fn run_groups(groups: &Groups, store: &Store) -> anyhow::Result<()> {
    let filter = groups.selection.filter(store.clock());
    for group in store.dead_letter_groups(&filter).await? {
        if groups.json {
            output::json(&group)?;
            continue;
        }
        output::line(format_args!(
            "{}  {:>6}  {:.0} … {:.0}  {}  {}  {}: {}  (build {})",
            group.fingerprint,
            group.count,
            group.first_seen,
            group.last_seen,
            clean(&group.source),
            clean(&group.kind),
            group.class,
            clean(&group.message),
            group.build,
        ));
    }
    Ok(())
}

async fn run_show(show: &Show, store: &Store) -> anyhow::Result<()> {
    let shown = store.dead_letter(show.id).await?;
    let shown = shown.ok_or_else(|| anyhow::anyhow!("{} is no dead letter (see `lychgate events show`)", show.id))?;
    if show.json {
        return output::json(&shown);
    }
    output::line(clean_lines(&serde_json::to_string_pretty(&shown)?));
    Ok(())
}

async fn run_rehearse(show: &Show, found: &Found, store: &Store) -> anyhow::Result<()> {
    let settings = Arc::new(found.settings.clone());
    let stop = Stop::new(settings.stop.deadline);
    let ground = Ground::open(settings, &found.store_settings()?, stop)?;
    let registry = process::handlers(&ground)?;
    let rehearsal = rehearse::rehearse(store, &registry, show.id).await?;
    let rehearsal = rehearsal.ok_or_else(|| anyhow::anyhow!("there is no event {}", show.id))?;
    if show.json {
        return output::json(&rehearsal);
    }
    output::line(clean_lines(&serde_json::to_string_pretty(&rehearsal)?));
    Ok(())
}

async fn run_replay(command: &Replay, store: &Store) -> anyhow::Result<()> {
    let filter = command.selection.some(store.clock())?;
    if !agreed(&command.agreement, store, &filter, "replay").await? {
        return Ok(());
    }
    let mut order = ReplayOrder::new(filter, deed(&command.agreement));
    order.canary = NonZeroU32::new(command.canary);
    order.per_second = command.rate;
    // The rows are made due at once: workers that poll the store, or the sweeper, take them from there.
    let report = replay::replay(store, None, &order, |report| {
        output::aside(format_args!(
            "replayed {}, succeeded {}, failed again {}",
            report.replayed, report.succeeded, report.failed
        ));
    })
    .await?;
    if command.json {
        output::json(&report)?;
    } else {
        output::line(format_args!(
            "replayed {}, succeeded {}, failed again {}",
            report.replayed, report.succeeded, report.failed
        ));
    }
    match &report.halted {
        Some(why) => anyhow::bail!("halted: {why}"),
        None => Ok(()),
    }
}

async fn run_discard(command: &Discard, store: &Store) -> anyhow::Result<()> {
    if command.agreement.reason.trim().is_empty() {
        return Err(Usage("discarding is for good: say why with --reason".to_owned()).into());
    }
    let filter = command.selection.some(store.clock())?;
    if !agreed(&command.agreement, store, &filter, "discard").await? {
        return Ok(());
    }
    let discarded = dead_letters::discard(store, &filter, &deed(&command.agreement)).await?;
    output::line(format_args!("discarded {discarded}"));
    Ok(())
}

fn deed(agreement: &Agreement) -> Deed {
    Deed { actor: actor(agreement.actor.clone()), reason: agreement.reason.clone() }
}

/// Shows the plan, and asks where nobody has agreed yet.
async fn agreed(agreement: &Agreement, store: &Store, filter: &EventFilter, verb: &str) -> anyhow::Result<bool> {
    let plan: Plan = dead_letters::plan(store, filter).await?;
    output::aside(format_args!("{verb}: {} dead letter(s)", plan.total));
    for group in plan.groups.iter().take(20) {
        output::aside(format_args!(
            "  {:>6}  {}  {} {}: {}",
            group.count,
            group.fingerprint,
            clean(&group.source),
            clean(&group.kind),
            clean(&group.message)
        ));
    }
    if agreement.dry_run || plan.total == 0 {
        return Ok(false);
    }
    if agreement.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Usage(format!("say --yes to {verb} them, or --dry-run to see only the plan")).into());
    }
    write!(std::io::stderr(), "{verb} them? [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// As [`clean`], but for text of several lines.
fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}
