//! Replaying and discarding: first the plan, then a question, then the deed, which is audited.

use std::{
    io::{BufRead, IsTerminal, Write},
    num::NonZeroU32,
};

use anyhow::bail;
use clap::Args;
use lychgate_common::store::{Deed, EventFilter, Store};
use lychgate_worker::operate::{
    actor,
    dead_letters::{self, Plan},
    replay::{self, ReplayOrder, ReplayReport},
};
use serde_json::json;

use super::selection::Selection;
use crate::{
    output::{self, Usage},
    settings::{Found, connected},
};

/// What both deeds have.
#[derive(Debug, Args)]
struct DeedOptions {
    #[command(flatten)]
    selection: Selection,
    /// Only say what would be touched
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who, for the audit [default: whoever is signed in]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    deed: DeedOptions,
    /// So many a second at most
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    /// How many to try first; 0 replays all at once without waiting for outcomes
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    canary: u32,
}

/// Options of `discard`.
#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    deed: DeedOptions,
}

impl DeedOptions {
    fn deed(&self) -> Deed {
        Deed { actor: actor(self.actor.clone()), reason: self.reason.clone().unwrap_or_default() }
    }

    /// Shows the plan; the filter if it shall be carried out.
    async fn agreed(&self, verb: &str, store: &Store) -> anyhow::Result<Option<EventFilter>> {
        let filter = match self.dry_run {
            true => self.selection.filter(store.clock()),
            false => self.selection.some(store.clock())?,
        };
        let plan = dead_letters::plan(store, &filter).await?;
        if self.json && self.dry_run {
            output::json(&plan)?;
        } else {
            tell(&plan, verb);
        }
        self.selection.missed(store, plan.total).await?;
        if self.dry_run || plan.total == 0 {
            return Ok(None);
        }
        if self.yes || asked(verb, plan.total)? { Ok(Some(filter)) } else { bail!("nothing was done") }
    }
}

fn tell(plan: &Plan, verb: &str) {
    output::aside(format_args!("{} to {verb}", letters(plan.total)));
    for group in &plan.groups {
        output::aside(super::group_row(group));
    }
}

fn letters(count: i64) -> String {
    if count == 1 { "1 dead letter".to_owned() } else { format!("{count} dead letters") }
}

/// Asks the person at the terminal; without one, the answer has to be on the command line.
fn asked(verb: &str, total: i64) -> anyhow::Result<bool> {
    let mut stdin = std::io::stdin().lock();
    if !stdin.is_terminal() {
        return Err(Usage(format!("nobody can be asked here: add --yes to {verb} them, or --dry-run")).into());
    }
    write!(std::io::stderr(), "{verb} {}? [y/N] ", letters(total))?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Replays what matches.
pub(super) async fn replay(options: &Replay, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    let Some(filter) = options.deed.agreed("replay", &store).await? else { return Ok(()) };
    let order = ReplayOrder {
        canary: NonZeroU32::new(options.canary),
        per_second: options.rate,
        ..ReplayOrder::new(filter, options.deed.deed())
    };
    let ground = found.ground()?;
    let queue = connected(&ground).await;
    let progress = |report: &ReplayReport| {
        let ReplayReport { replayed, succeeded, failed, skipped, .. } = report;
        output::aside(format_args!(
            "{replayed} replayed: {succeeded} succeeded, {failed} failed again, {skipped} skipped"
        ));
    };
    let replayed = tokio::select! {
        replayed = replay::replay(&store, queue.as_ref(), &order, progress) => Some(replayed?),
        _ = tokio::signal::ctrl_c() => None,
    };
    ground.close().await;
    let Some(report) = replayed else { bail!("stopped; what was replayed by then is processed") };
    if options.deed.json {
        output::json(&report)?;
    } else {
        output::line(format_args!("{} replayed, {} skipped", report.replayed, report.skipped));
    }
    match report.halted {
        Some(why) => bail!("halted: {why}"),
        None => Ok(()),
    }
}

/// Gives up what matches.
pub(super) async fn discard(options: &Discard, store: &Store) -> anyhow::Result<()> {
    let deed = options.deed.deed();
    if deed.reason.trim().is_empty() && !options.deed.dry_run {
        return Err(Usage("discarding is for good: say why with --reason TEXT".to_owned()).into());
    }
    let Some(filter) = options.deed.agreed("discard", store).await? else { return Ok(()) };
    let discarded = dead_letters::discard(store, &filter, &deed).await?;
    if options.deed.json {
        return output::json(&json!({ "discarded": discarded }));
    }
    output::line(format_args!("{discarded} discarded"));
    Ok(())
}
