//! `lychgate ibam`: which tags, courses and plans of Systeme.io mean what at IBAM. `lychgate magic-token`: a learner's
//! way in, by hand.

use clap::{Args, Subcommand};
use lychgate_common::store::Store;
use lychgate_worker::operate::{actor, ibam};
use serde_json::json;

use super::catalogue::{Verb, imported, rows, show};
use crate::{output, settings::Found};

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
