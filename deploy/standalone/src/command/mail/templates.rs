//! `lychgate mail templates`: the texts of mails, in the database.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use lychgate_common::store::{NewTemplate, Store};
use lychgate_worker::operate::{
    actor,
    mail::{self, MailError},
};

use crate::output::{self, Usage, clean};

/// What can be done with templates.
#[derive(Debug, Subcommand)]
pub(crate) enum Templates {
    /// List them with their subjects
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one as it is kept
    Show {
        /// Its name
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Set one, as a whole or in part; mails that wait are sent with it, too
    Set(Set),
}

/// Options of `mail templates set`. What is not given stays as it is.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name
    name: String,
    /// The subject, with `{{variables}}`
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// The file with the plain text
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// The file with the same as HTML; what variables hold is escaped there
    #[arg(long, value_name = "FILE", conflicts_with = "no_html")]
    html: Option<PathBuf>,
    /// From now on without HTML
    #[arg(long)]
    no_html: bool,
}

/// Does what was asked.
pub(super) async fn run(asked: &Templates, store: &Store) -> anyhow::Result<()> {
    match asked {
        Templates::List { json } => {
            for template in store.mail_templates().await? {
                if *json {
                    output::json(&template)?;
                } else {
                    output::line(format_args!("{:<20}  {}", clean(&template.name), clean(&template.subject)));
                }
            }
            Ok(())
        }
        Templates::Show { name, json } => {
            let found = store.mail_template(name).await?;
            let template = found.with_context(|| format!("there is no template `{name}`"))?;
            if *json {
                return output::json(&template);
            }
            output::line(format_args!("Subject: {}\n\n{}", clean(&template.subject), template.text.trim_end()));
            if let Some(html) = &template.html {
                output::line(format_args!("\nHTML:\n\n{}", html.trim_end()));
            }
            Ok(())
        }
        Templates::Set(set) => set_template(set, store).await,
    }
}

async fn set_template(set: &Set, store: &Store) -> anyhow::Result<()> {
    let known = store.mail_template(&set.name).await?;
    let old = |part: fn(&lychgate_common::store::MailTemplate) -> String| known.as_ref().map(part);
    let subject = set.subject.clone().or_else(|| old(|known| known.subject.clone()));
    let text = set.text.as_deref().map(read).transpose()?.or_else(|| old(|known| known.text.clone()));
    let html = match &set.html {
        Some(file) => Some(read(file)?),
        None if set.no_html => None,
        None => known.as_ref().and_then(|known| known.html.clone()),
    };
    let (Some(subject), Some(text)) = (subject, text) else {
        return Err(Usage(format!("`{}` is a new template: give --subject and --text", set.name)).into());
    };
    let new = NewTemplate { name: &set.name, subject: &subject, text: &text, html: html.as_deref() };
    mail::set_template(store, &new, &actor(None)).await.map_err(|error| match error {
        MailError::Template(fault) => anyhow::Error::new(Usage(fault.to_string())),
        error => anyhow::Error::new(error),
    })?;
    output::line(format_args!("template={}", clean(&set.name)));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(file).map_err(|error| Usage(format!("{} cannot be read: {error}", file.display())))?)
}
