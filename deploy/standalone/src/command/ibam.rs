//! `lychgate ibam`: which tags, courses and plans of Systeme.io mean what at IBAM. `lychgate magic-token`: a learner's
//! way in, by hand.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use lychgate_common::store::{Imported, Store};
use lychgate_worker::operate::{
    actor,
    ibam::{self, Form, Part},
};
use serde_json::json;

use crate::{
    output::{self, Usage},
    settings::Found,
};

/// The parts of the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum Ibam {
    /// Which tag gives which course
    #[command(subcommand)]
    Tags(Verb),
    /// The courses, and what Systeme.io calls them
    #[command(subcommand)]
    Courses(Verb),
    /// The tiers of membership, and what gives them
    #[command(subcommand)]
    Tiers(Verb),
}

/// What can be done with a part of the catalogue.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// List it
    List(Listing),
    /// Read it from a file; takes effect with the next event
    Import(Import),
    /// Write it as a file that `import` reads
    Export(Export),
}

/// Options of `list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Listing {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of `import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Import {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How it is written; by its name unless given
    #[arg(long)]
    format: Option<Format>,
    /// Remove what the file does not have
    #[arg(long)]
    replace: bool,
    /// Only check the file
    #[arg(long)]
    dry_run: bool,
}

/// Options of `export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    /// How it is written
    #[arg(long, default_value = "csv")]
    format: Format,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// One line of column names, then one line a row
    Csv,
    /// A list of objects
    Json,
}

/// What can be done with magic tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum MagicTokens {
    /// Make a new token in the place of any other, and print it, once
    Issue(Issue),
}

/// Options of `magic-token issue`.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// Whose
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
        }
    }
}

/// Does what was asked of the catalogue.
pub(crate) async fn run(asked: Ibam, found: &Found) -> anyhow::Result<()> {
    let store = found.store().await?;
    match asked {
        Ibam::Tags(Verb::Import(import)) => match rows(&import)? {
            Some(rows) => imported(ibam::import_tags(&store, &rows, import.replace, &actor(None)).await?),
            None => Ok(()),
        },
        Ibam::Courses(Verb::Import(import)) => match rows(&import)? {
            Some(rows) => imported(ibam::import_courses(&store, &rows, import.replace, &actor(None)).await?),
            None => Ok(()),
        },
        Ibam::Tiers(Verb::Import(import)) => match rows(&import)? {
            Some(rows) => imported(ibam::import_tiers(&store, &rows, import.replace, &actor(None)).await?),
            None => Ok(()),
        },
        Ibam::Tags(verb) => show(&verb, &store.ibam_tags().await?),
        Ibam::Courses(verb) => show(&verb, &store.ibam_courses().await?),
        Ibam::Tiers(verb) => show(&verb, &store.ibam_tiers().await?),
    }
}

/// Does what was asked of magic tokens.
pub(crate) async fn magic_token(asked: MagicTokens, found: &Found) -> anyhow::Result<()> {
    let MagicTokens::Issue(issue) = asked;
    let store: Store = found.store().await?;
    let (token, expires_at) = ibam::issue_token(&store, &issue.email, &actor(None)).await?;
    if issue.json {
        return output::json(&json!({ "token": token.expose(), "expires_at": expires_at }));
    }
    output::line(format_args!("token={}", token.expose()));
    output::aside(format_args!("valid once, until {expires_at}; it is not shown again"));
    Ok(())
}

/// The file's rows; `None` where they were only to be checked.
fn rows<P: Part>(import: &Import) -> anyhow::Result<Option<Vec<P>>> {
    let text = match import.file.as_path() {
        file if file == Path::new("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
        file => std::fs::read_to_string(file).map_err(|error| Usage(format!("{}: {error}", file.display())))?,
    };
    let named_json = import.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let guessed = if named_json || text.trim_start().starts_with('[') { Form::Json } else { Form::Csv };
    let rows =
        ibam::read(&text, import.format.map_or(guessed, Form::from)).map_err(|error| Usage(error.to_string()))?;
    if import.dry_run {
        output::line(format_args!("{} rows are good", rows.len()));
        return Ok(None);
    }
    Ok(Some(rows))
}

fn imported(done: Imported) -> anyhow::Result<()> {
    output::json(&done)
}

fn show<P: Part>(verb: &Verb, rows: &[P]) -> anyhow::Result<()> {
    match verb {
        Verb::List(listing) if listing.json => {
            for row in rows {
                output::json(row)?;
            }
        }
        Verb::List(_) => output::line(ibam::written(rows, Form::Csv)),
        Verb::Export(export) => output::line(ibam::written(rows, export.format.into())),
        // Done before: its rows are read from a file.
        Verb::Import(_) => {}
    }
    Ok(())
}
