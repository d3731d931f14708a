//! `lychgate check`: every mistake of the settings, or what the sources accept. Starts nothing and connects to nothing.

use clap::Args;
use lychgate_common::{
    clock::Clock,
    event::EventId,
    process,
    source::{Keys, Source, sample::Draft, sign::sign},
};

use crate::{
    command::send::key,
    output::{self, Usage},
    settings::Found,
};

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Print a signed request for this source, as a curl command that the gateway accepts
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Says what there is to say.
pub(crate) fn run(check: &Check, found: &Found) -> anyhow::Result<()> {
    let sources = process::sources(&found.settings)?;
    if let Some(name) = &check.source {
        let named = sources.iter().find(|source| source.name().as_ref() == name.as_str());
        let source = named.ok_or_else(|| Usage(format!("there is no source `{name}` in the settings")))?;
        return example(source, found);
    }
    let file =
        found.file.as_deref().map_or_else(|| "the environment alone".to_owned(), |file| file.display().to_string());
    output::line(format_args!("the settings are good ({file})"));
    for shown in found.settings.effective().iter().filter(|shown| !shown.default) {
        output::line(format_args!("  {} = {}", shown.name, shown.value));
    }
    for source in &sources {
        output::line(about(source));
    }
    if sources.is_empty() {
        output::line("there is no source: nobody can send anything");
    }
    Ok(())
}

/// One source in two lines.
fn about(source: &Source) -> String {
    let methods: Vec<&str> = source.methods().iter().map(|method| method.as_str()).collect();
    let secrets = match source.keys() {
        Keys::Fixed(keys) => {
            let labels: Vec<&str> = keys.iter().map(|key| key.label()).collect();
            format!("{} secret(s) in force: {}", keys.len(), labels.join(", "))
        }
        Keys::ByTenant => "a secret per campus".to_owned(),
    };
    let limit =
        source.rate_limit().map(|rate| format!(", {} requests in {:?}", rate.requests, rate.per)).unwrap_or_default();
    format!(
        "\nsource {} (preset {})\n  {} {}, at most {} bytes{limit}; {secrets}",
        source.name(),
        source.preset(),
        methods.join("/"),
        source.path(),
        source.max_body(),
    )
}

/// A request that the source accepts, to be typed as it is.
fn example(source: &Source, found: &Found) -> anyhow::Result<()> {
    let Keys::Fixed(_) = source.keys() else {
        return Err(Usage(format!(
            "source `{}` has a secret per campus: try `lychgate send --tenant ID`",
            source.name()
        ))
        .into());
    };
    let secret = key::configured(found, source.name())?;
    let now = Clock::system().now();
    let id = EventId::new(now).to_string();
    let kind = source.known_kinds().first().copied().unwrap_or("test");
    let draft = Draft { kind, id: &id, tenant: None, subject: None, at: now };
    let base = match &found.settings.gateway.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", found.settings.gateway.listen),
    };
    let outgoing = sign(source, &secret, &draft, None, Some(&format!("{base}{}", source.path())))?;
    let mut line = format!("curl -i -X {} {}", outgoing.method, quoted(&format!("{base}{}", outgoing.target)));
    for (name, value) in &outgoing.headers {
        line.push_str(&format!(
            " \\\n  -H {}",
            quoted(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        ));
    }
    line.push_str(&format!(" \\\n  --data-binary {}", quoted(&String::from_utf8_lossy(&outgoing.body))));
    output::line(line);
    Ok(())
}

/// One word of a shell line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
