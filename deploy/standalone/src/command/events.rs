//! `lychgate events`: looks into the ledger. Reads only.

use clap::{Args, Subcommand};
use lychgate_common::{
    event::EventId,
    status::Status,
    store::{EventFilter, EventLine, EventShown, Page, Store},
};
use serde_json::Value;

use crate::{
    cli::Moment,
    output::{self, clean},
    settings::Found,
};

/// What can be asked about events.
#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List events, the newest first
    List(List),
    /// Show everything about one event: headers, body, attempts
    Show(Show),
}

/// Options of `events list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this source's
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only dead letters of this cause
    #[arg(long)]
    fingerprint: Option<String>,
    /// Only this event; can be repeated
    #[arg(long, value_name = "ID")]
    id: Vec<EventId>,
    /// Only events with this status: accepted, retrying, succeeded, ignored, dead or discarded
    #[arg(long)]
    status: Option<Status>,
    /// Only events received since then: a time like 2026-01-31T12:00:00Z, or an age like 90m, 2h, 3d
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only events received before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only events older than this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    before: Option<EventId>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of `events show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The event's id
    id: EventId,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) async fn run(events: &Events, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    match events {
        Events::List(list) => list_events(list, &store).await,
        Events::Show(show) => show_event(show, &store).await,
    }
}

async fn list_events(list: &List, store: &Store) -> anyhow::Result<()> {
    let filter = EventFilter {
        source: list.source.clone(),
        kind: list.kind.clone(),
        status: list.status,
        fingerprint: list.fingerprint.clone(),
        ids: list.id.clone(),
        since: list.since.map(|since| since.on(store.clock())),
        until: list.until.map(|until| until.on(store.clock())),
    };
    let lines = store.events(&filter, Page { limit: list.limit, after: list.before }).await?;
    for line in &lines {
        if list.json { output::json(line)? } else { output::line(row(line)) }
    }
    if lines.is_empty() {
        output::aside("no such events");
    } else if u32::try_from(lines.len()) == Ok(list.limit)
        && let Some(last) = lines.last()
    {
        output::aside(format_args!("there may be more: --before {}", last.id));
    }
    Ok(())
}

fn row(line: &EventLine) -> String {
    let about = [Some(line.tenant.as_str()), line.subject.as_deref()];
    let about: Vec<&str> = about.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let (at, id, attempt) = (line.received_at, line.id, line.attempt);
    let (status, source, kind) = (line.status.name(), clean(&line.source), clean(&line.kind));
    format!("{id}  {at:.3}  {status:<9}  {attempt:>2}  {source}  {kind}  {}", clean(&about.join("/")))
        .trim_end()
        .to_owned()
}

async fn show_event(show: &Show, store: &Store) -> anyhow::Result<()> {
    let page = store.event_shown(show.id).await?;
    let page = page.ok_or_else(|| anyhow::anyhow!("there is no event {} (or its retention has passed)", show.id))?;
    if show.json {
        return output::json(&page);
    }
    print_page(&page);
    Ok(())
}

pub(super) fn print_page(page: &EventShown) {
    let line = &page.line;
    let field = |name: &str, value: &str| {
        if !value.is_empty() {
            output::line(format_args!("{name:<13} {}", clean(value)));
        }
    };
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    field("id", &line.id.to_string());
    field("status", &format!("{}, attempt {}", line.status, line.attempt));
    field("source", &format!("{} (preset {})", line.source, page.preset));
    field("type", &line.kind);
    field("tenant", &line.tenant);
    field("subject", line.subject.as_deref().unwrap_or_default());
    field("key", page.key.as_deref().unwrap_or_default());
    field("received", &line.received_at.to_string());
    field("occurred", &time(page.occurred_at));
    field("next attempt", &time(line.next_attempt_at));
    field("finished", &time(line.finished_at));
    field("content type", page.content_type.as_deref().unwrap_or_default());
    if let Value::Object(headers) = &page.headers {
        for (name, value) in headers {
            field("header", &format!("{name}: {}", value.as_str().unwrap_or(&value.to_string())));
        }
    }
    for attempt in &page.attempts {
        let class = attempt.class.as_deref().unwrap_or_default();
        let seconds = attempt.seconds;
        let (number, outcome, worker) = (attempt.attempt, &attempt.outcome, &attempt.worker);
        field(
            "attempt",
            &format!("{number}: {outcome} {class} at {} in {seconds:.3} s by {worker}", attempt.started_at),
        );
        let stack = attempt.error.as_ref().and_then(|error| error.get("stack")).and_then(Value::as_array);
        for cause in stack.into_iter().flatten().filter_map(Value::as_str) {
            field("", &format!("  {cause}"));
        }
    }
    for deed in &page.audit {
        field("operator", &format!("{} by {} at {}: {}", deed.action, deed.actor, deed.at, deed.reason));
    }
    output::line("");
    match &page.body {
        Some(text) => text.lines().for_each(|line| output::line(clean(line))),
        None => output::line("(the body is no text; --json shows it in base64)"),
    }
}
