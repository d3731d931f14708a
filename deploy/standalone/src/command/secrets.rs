//! `lychgate secrets`: during a rotation, when the old secret can go. Shows labels, never secrets.

use clap::{Args, Subcommand};
use lychgate_common::{
    process,
    source::{Keys, Source, Verifier},
    store::SecretUse,
};
use serde::Serialize;

use crate::{
    output::{self, clean},
    settings::Found,
};

/// What can be asked about secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// List every secret by its label: whether it is in force, when it last verified a request, how often it has
    List(List),
}

/// Options of `secrets list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this source's
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// One secret.
#[derive(Debug, Serialize)]
struct Line {
    source: String,
    tenant: String,
    /// First 8 hex digits of the secret's SHA-256, or the origin, or the name of the sender's key.
    label: String,
    /// Whether these settings have it; null where secrets are kept with campuses, or keys are published by their sender.
    in_force: Option<bool>,
    last_used_at: Option<String>,
    uses: i64,
}

/// Does what was asked.
pub(crate) async fn run(secrets: &Secrets, found: &Found) -> anyhow::Result<()> {
    let Secrets::List(list) = secrets;
    let sources = process::sources(&found.settings)?;
    let uses = found.store().await?.secret_uses().await?;
    let wanted = |line: &Line| list.source.as_ref().is_none_or(|source| *source == line.source);
    for line in lines(&sources, uses).iter().filter(|line| wanted(line)) {
        if list.json { output::json(line)? } else { output::line(row(line)) }
    }
    Ok(())
}

/// The labels of what a source's settings say itself: its secrets, or the origins that stand in for them.
fn written(source: &Source) -> Vec<String> {
    let Keys::Fixed(keys) = source.keys() else { return Vec::new() };
    let keys = keys.iter().map(|key| key.label().to_owned());
    let origins = source.profile().verifier.ways().iter().flat_map(|way| match way {
        Verifier::Origin(origins) => origins.all(),
        Verifier::Signed(_) | Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Any(_) => &[],
    });
    keys.chain(origins.map(|origin| origin.as_str().to_owned())).collect()
}

/// Whether the source's settings have what was used; `None` where they do not say it.
fn in_force(source: &Source, label: &str) -> Option<bool> {
    let by_tenant = matches!(source.keys(), Keys::ByTenant);
    let published = label.starts_with("jwk:") || label.starts_with("cert:");
    (!by_tenant && !published).then(|| written(source).iter().any(|one| one == label))
}

/// The secrets of the settings, used or not, and those that were used and are in the settings no more.
fn lines(sources: &[Source], uses: Vec<SecretUse>) -> Vec<Line> {
    let of = |name: &str| sources.iter().find(|source| source.name().as_ref() == name);
    let mut lines = Vec::new();
    for source in sources {
        for label in written(source) {
            if !uses.iter().any(|one| one.source == source.name().as_ref() && one.label == label) {
                let (source, tenant) = (source.name().to_string(), String::new());
                lines.push(Line { source, tenant, label, in_force: Some(true), last_used_at: None, uses: 0 });
            }
        }
    }
    for SecretUse { source, tenant, label, at, uses } in uses {
        let in_force = of(&source).map_or(Some(false), |source| in_force(source, &label));
        lines.push(Line { source, tenant, label, in_force, last_used_at: Some(at.to_string()), uses });
    }
    lines.sort_by(|a, b| (&a.source, &a.tenant, &b.last_used_at).cmp(&(&b.source, &b.tenant, &a.last_used_at)));
    lines
}

fn row(line: &Line) -> String {
    let state = match line.in_force {
        Some(true) => "in force",
        Some(false) => "gone",
        None if line.tenant.is_empty() => "sender's",
        None => "campus's",
    };
    let whose = if line.tenant.is_empty() { line.source.clone() } else { format!("{}/{}", line.source, line.tenant) };
    let last = line.last_used_at.as_deref().unwrap_or("never");
    format!("{}  {}  {state:<8}  {:>8} uses, last {last}", line.label, clean(&whose), line.uses)
}

#[cfg(test)]
mod tests {
    use lychgate_common::source::{Origin, Origins, preset};

    use super::*;

    #[test]
    fn an_unused_secret_and_one_that_is_gone_are_both_shown() {
        let profile = (preset::GENERIC.profile)();
        let source = Source::new("ours", profile, &["new-secret".into(), "old-secret".into()]).unwrap();
        let Keys::Fixed(keys) = source.keys().clone() else { unreachable!("fixed secrets were given") };
        let used = |label: &str, uses| SecretUse {
            source: "ours".into(),
            tenant: String::new(),
            label: label.into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            uses,
        };
        let shown = lines(&[source], vec![used(keys[1].label(), 7), used("deadbeef", 3)]);
        let of = |label: &str| shown.iter().find(|line| line.label == label).unwrap();
        assert_eq!((of(keys[0].label()).uses, of(keys[0].label()).in_force), (0, Some(true)));
        assert_eq!((of(keys[1].label()).uses, of(keys[1].label()).in_force), (7, Some(true)));
        assert_eq!(of("deadbeef").in_force, Some(false));
    }

    #[test]
    fn an_origin_is_in_force_as_long_as_the_settings_list_it() {
        let mut profile = (preset::named("social-share").unwrap().profile)();
        profile.verifier = Verifier::Origin(Origins::new(vec![Origin::parse("https://shop.example.com").unwrap()]));
        let source = Source::new("shop", profile, &[]).unwrap();
        let used = |label: &str| SecretUse {
            source: "shop".into(),
            tenant: String::new(),
            label: label.into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            uses: 1,
        };
        let shown = lines(&[source], vec![used("https://shop.example.com"), used("https://old.example.com")]);
        let states: Vec<_> = shown.iter().map(|line| (line.label.as_str(), line.in_force)).collect();
        assert_eq!(states, [("https://shop.example.com", Some(true)), ("https://old.example.com", Some(false))]);
    }
}
