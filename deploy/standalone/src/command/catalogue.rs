//! `list`, `import` and `export` of a small table that operators keep, as `lychgate ibam` and `lychgate suppliers` have
//! them.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use lychgate_common::store::Imported;
use lychgate_worker::operate::catalogue::{self, Form, Part};

use crate::output::{self, Usage};

/// What can be done with such a table.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// List it
    List(Listing),
    /// Read it from a file; takes effect at once, without a restart
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
    pub(super) replace: bool,
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

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
        }
    }
}

/// The file's rows; `None` where they were only to be checked.
pub(super) fn rows<P: Part>(import: &Import) -> anyhow::Result<Option<Vec<P>>> {
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
        catalogue::read(&text, import.format.map_or(guessed, Form::from)).map_err(|error| Usage(error.to_string()))?;
    if import.dry_run {
        output::line(format_args!("{} rows are good", rows.len()));
        return Ok(None);
    }
    Ok(Some(rows))
}

/// Says what an import did.
pub(super) fn imported(done: Imported) -> anyhow::Result<()> {
    output::json(&done)
}

/// Shows the rows as asked.
pub(super) fn show<P: Part>(verb: &Verb, rows: &[P]) -> anyhow::Result<()> {
    match verb {
        Verb::List(listing) if listing.json => {
            for row in rows {
                output::json(row)?;
            }
        }
        Verb::List(_) => output::line(catalogue::written(rows, Form::Csv)),
        Verb::Export(export) => output::line(catalogue::written(rows, export.format.into())),
        // Done before: its rows are read from a file.
        Verb::Import(_) => {}
    }
    Ok(())
}
