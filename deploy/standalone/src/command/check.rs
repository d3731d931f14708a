//! `lychgate check`: every mistake of the settings, or what the sources accept. Starts nothing and connects to nothing.

mod about;

use clap::Args;
use hyper::Uri;
use lychgate_common::{
    clock::Clock,
    event::EventId,
    process,
    source::{
        Key, Keys, Refused, Request, Source,
        sample::Draft,
        sign::{Outgoing, SignFault, sign},
    },
};

use crate::{
    command::send::key,
    output::{self, Usage},
    settings::{Found, NOWHERE},
};

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Say what this source accepts, and print a signed request for it as a curl command that the gateway accepts
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    key: key::GivenKey,
}

/// What the environment alone can be good for: it names no source.
const NO_FILE: &str = "there is no settings file here (`lychgate.toml` or `lychgate-data/lychgate.toml`; --config names \
                       another): a worker could run, but the environment names no source";
/// For sources whose sender alone can sign.
const NO_SAMPLE: &str = "# no sample: only its sender has the private key that signs (--key takes one of your own)";

/// Says what there is to say.
pub(crate) fn run(check: &Check, found: &Found) -> anyhow::Result<()> {
    let sources = process::sources(&found.settings)?;
    if let Some(name) = &check.source {
        return example(found.source(&sources, name)?, found, &check.key);
    }
    let file = match &found.file {
        Some(file) => file.display().to_string(),
        // Without a database, and without `up` to bring one, the environment says nothing that could run.
        None if found.settings.database.url.is_none() => return Err(Usage(NOWHERE.to_owned()).into()),
        None => {
            output::aside(format_args!("note: {NO_FILE}"));
            "the environment alone".to_owned()
        }
    };
    output::line(format_args!("the settings are good ({file})"));
    for shown in found.settings.effective().iter().filter(|shown| !shown.default) {
        output::line(format_args!("  {} = {}", shown.name, shown.value));
    }
    found.tell_of_no_console();
    for source in &sources {
        output::line(about::briefly(source));
    }
    if sources.is_empty() {
        output::line("there is no source: nobody can send anything");
    }
    Ok(())
}

/// What the source accepts, as comments, and a request that it accepts, to be typed as it is.
fn example(source: &Source, found: &Found, given: &key::GivenKey) -> anyhow::Result<()> {
    for line in about::fully(source) {
        output::line(format_args!("# {line}"));
    }
    let Keys::Fixed(keys) = source.keys() else {
        return Err(Usage(format!(
            "source `{}` has a secret per campus: try `lychgate send --tenant ID`",
            source.name()
        ))
        .into());
    };
    let given = given.read()?;
    if given.is_none() && source.profile().verifier.needs_private_key(keys) {
        output::line(NO_SAMPLE);
        return Ok(());
    }
    let secret = match given {
        Some(key) => key,
        None => key::configured(found, source.name())?,
    };
    let now = Clock::system().now();
    let id = EventId::new(now).to_string();
    let kind = source.known_kinds().first().copied().unwrap_or("test");
    let draft = Draft { kind, id: &id, tenant: None, subject: None, at: now };
    let base = match &found.settings.gateway.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", found.settings.gateway.listen),
    };
    let url = source.public_url().map_or_else(|| format!("{base}{}", source.path()), str::to_owned);
    let outgoing = match sign(source, &secret, &draft, None, Some(&url)) {
        Ok(outgoing) => outgoing,
        Err(SignFault::WrongKind) => {
            output::line(NO_SAMPLE);
            return Ok(());
        }
        Err(fault) => return Err(fault.into()),
    };
    verify(source, keys, &outgoing, &url)?;
    // The sender's own address may have a path of its own; what the request's target adds is its query.
    let address = match (source.public_url(), outgoing.target.split_once('?')) {
        (Some(url), Some((_, query))) if !url.contains('?') => format!("{url}?{query}"),
        (Some(url), _) => url.to_owned(),
        (None, _) => format!("{base}{}", outgoing.target),
    };
    let mut line = format!("curl -i -X {} {}", outgoing.method, quoted(&address));
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

/// Holds the sample against the source, as the gateway would: what is printed is accepted.
fn verify(source: &Source, keys: &[Key], outgoing: &Outgoing, url: &str) -> anyhow::Result<()> {
    let uri: Uri = outgoing.target.parse()?;
    let params = source.path().matches(uri.path()).unwrap_or_default();
    let request = Request {
        method: &outgoing.method,
        uri: &uri,
        public_url: Some(url),
        headers: &outgoing.headers,
        params: &params,
        body: &outgoing.body,
        received_at: Clock::system().now(),
    };
    let refused = |refused: Refused| anyhow::anyhow!("the source would refuse its own sample: {}", refused.detail());
    source.authenticate(&request, keys).map_err(refused)?;
    source.identify(&request).map_err(refused)?;
    Ok(())
}

/// One word of a shell line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
