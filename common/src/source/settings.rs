//! Sources as the settings file has them: `[[source]]`, each a preset with anything overridden beside it.
//!
//! Every mistake is noted at its key and the reading goes on, so that one look shows all of them.

mod certified;
mod forward;
mod handshake;
mod jwt;
mod key_api;
mod places;
mod signature;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use hyper::{Method, StatusCode};

use self::{
    certified::certified,
    jwt::jwt,
    key_api::key_api,
    places::{keys, places, the_place},
    signature::verifier,
};
use super::{
    Keys, MAIL, Source, SourceFault,
    identify::Naming,
    limits::{ContentTypes, OnConflict},
    path::PathPattern,
    pointer::Pointer,
    preset,
    profile::Profile,
    reply::{Reply, ReplyBody},
    split::Split,
    time::TimeForm,
    verify::Verifier,
};
use crate::settings::{Faults, Reader, Section, Settings};

/// Longest name of a source: it labels metrics and log lines.
const NAME_LENGTH: usize = 64;

/// What a body guard's window may be. Keys are kept for a day at least.
const GUARD_WINDOWS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Paths of the public listener that are not sources'.
const TAKEN: [&str; 6] =
    ["/v2/webhooks", "/events/", "/auth/", "/openapi.json", "/webhooks/health-monitor", "/webhooks/test-simulation"];

/// How a time of the body may be written.
const TIME_FORMS: [(&str, TimeForm); 4] =
    [("s", TimeForm::Seconds), ("ms", TimeForm::Millis), ("rfc3339", TimeForm::Rfc3339), ("any", TimeForm::Any)];

/// What the house calls the sources of its own events: deliveries to webhooks, and mails.
const RESERVED: [&str; 2] = [crate::webhook::SOURCE, MAIL];

/// Whether events of this source are the house's own. No source of the settings may have its name.
pub fn is_reserved(source: &str) -> bool {
    RESERVED.contains(&source)
}

/// All sources of the settings. A source with a mistake is left out; the mistake is noted.
pub fn from_settings(settings: &Settings, faults: &mut Faults) -> Vec<Source> {
    let mut sources: Vec<(Source, &Section)> = Vec::new();
    for section in &settings.sources {
        let mut reader = section.reader(faults);
        let source = one(&mut reader, section, settings);
        if let Some(source) = &source
            && sources.iter().any(|(other, _)| other.name() == source.name())
        {
            reader.fault("name", format!("`{}` is another source's name already", source.name()));
        }
        let sealed = settings.secrets.encryption_key.is_some();
        if source.as_ref().is_some_and(|source| matches!(source.keys(), Keys::ByTenant)) && !sealed {
            let what = "needs secrets.encryption_key: its campuses' secrets are kept in the database, sealed with it";
            reader.fault("preset", what.to_owned());
        }
        reader.finish();
        if let Some(source) = source {
            same_path(&source, section, &sources, faults);
            sources.push((source, section));
        }
    }
    sources.into_iter().map(|(source, _)| source).collect()
}

/// Notes once that a source's path is taken: at the path that somebody wrote, for one that comes from a preset has no
/// line of its own.
fn same_path(source: &Source, section: &Section, earlier: &[(Source, &Section)], faults: &mut Faults) {
    let colliding = || earlier.iter().filter(|(other, _)| other.path().collides_with(source.path()));
    let alike = || colliding().find(|(_, other)| section.has("path") || !other.has("path"));
    let Some((other, written)) = alike().or_else(|| colliding().next()) else { return };
    let what = |path, whose| format!("{path} is the path of source `{whose}` already");
    if section.has("path") || !written.has("path") {
        section.reader(faults).fault("path", what(source.path(), other.name()));
    } else {
        written.reader(faults).fault("path", what(other.path(), source.name()));
    }
}

fn one(reader: &mut Reader<'_>, section: &Section, settings: &Settings) -> Option<Source> {
    let name = name(reader);
    let preset_name = reader.text("preset").unwrap_or_else(|| "generic".to_owned());
    let Some(preset) = preset::named(&preset_name) else {
        let known: Vec<_> = preset::ALL.iter().map(|preset| preset.name).collect();
        reader.fault("preset", format!("`{preset_name}` is no preset; known are {}", known.join(", ")));
        // What stands beside it cannot be judged; it is asked for, so that it is not called unknown.
        rest(reader, &mut (preset::GENERIC.profile)());
        let _ = (reader.secrets("secrets"), reader.secrets("tokens"));
        return None;
    };
    let mut profile = (preset.profile)();
    if profile.preset.as_ref() == "faithflow" {
        profile.wait = Some(settings.faithflow.wait);
    }
    rest(reader, &mut profile);
    let written = section.has("secrets");
    let secrets = reader.secrets("secrets");
    if profile.keys_by_tenant && written {
        reader.fault("secrets", "is not used: each campus has its own, see `lychgate campus`");
    }
    if written && matches!(profile.verifier, Verifier::Origin(_)) {
        reader.fault("secrets", "is not used: who may call are the pages of `origins`");
    }
    if written && profile.verifier.takes_no_secret() {
        reader.fault("secrets", "is not used: its sender signs with a key of its own, whose public half is fetched");
    }
    let tokens_written = section.has("tokens");
    let tokens = reader.secrets("tokens");
    if (written && secrets.is_none()) || (tokens_written && tokens.is_none()) {
        return None;
    }
    let takes_tokens = |way: &Verifier| matches!(way, Verifier::Token(_));
    if tokens_written && !profile.verifier.ways().iter().any(takes_tokens) {
        reader.fault("tokens", "is not used: this source takes no tokens");
    }
    match Source::with_tokens(&name?, profile, &secrets.unwrap_or_default(), &tokens.unwrap_or_default()) {
        Ok(source) => Some(source),
        Err(SourceFault::NoSecret { .. }) => {
            reader.fault("secrets", "is missing: without a secret nobody can be authenticated");
            None
        }
        Err(SourceFault::NoOrigin { .. }) => {
            reader.fault("origins", "is missing: list the pages that may call, e.g. [\"https://shop.example.com\"]");
            None
        }
        // What is wrong with a table that is there has been noted.
        Err(SourceFault::Unbound { setting: "key_api", .. }) if section.has("key_api") => None,
        Err(SourceFault::Unbound { setting, why, .. }) => {
            reader.fault(setting, format!("is missing: {why}"));
            None
        }
        Err(SourceFault::Secret { number, fault, .. }) => {
            reader.fault("secrets", format!("number {number} {fault}"));
            None
        }
    }
}

fn name(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.required_text("name", "a source is known by its name in logs, metrics and the ledger")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() > NAME_LENGTH || !name.bytes().all(plain) {
        reader.fault("name", format!("must be at most {NAME_LENGTH} letters, digits, `-`, `_` and `.`"));
        return None;
    }
    if is_reserved(&name) {
        reader.fault("name", format!("`{name}` is what the house's own events are called: choose another name"));
        return None;
    }
    Some(name)
}

/// Everything but name, preset and secrets, each over what the preset says.
fn rest(reader: &mut Reader<'_>, profile: &mut Profile) {
    if let Some(id) = reader.text("service") {
        match PathPattern::parse(&profile.path.filled(|_| id.clone())) {
            Ok(path) if path.params().next().is_none() && !id.contains('/') => profile.path = path,
            Ok(_) | Err(_) => reader.fault("service", "must be one step of a path, such as \"transcriber\""),
        }
    }
    if let Some(text) = reader.text("path") {
        match PathPattern::parse(&text) {
            Ok(path) if TAKEN.iter().any(|taken| text.starts_with(taken)) => {
                reader.fault("path", format!("{path} belongs to the gateway itself"));
            }
            Ok(path) => profile.path = path,
            Err(fault) => reader.fault("path", fault.to_string()),
        }
    }
    if let Some(methods) = reader.list("methods") {
        let known = [Method::POST, Method::PUT, Method::GET, Method::PATCH, Method::DELETE];
        let found = |text: &String| known.iter().find(|method| method.as_str() == text).cloned();
        match methods.iter().map(found).collect::<Option<Vec<_>>>() {
            Some(methods) if !methods.is_empty() => profile.methods = methods,
            Some(_) | None => reader.fault("methods", "must be a list of POST, PUT, GET, PATCH, DELETE"),
        }
    }
    let content = [("json", true), ("any", false)];
    if let Some(json) = reader.one_of("content_types", &content) {
        profile.content_types = if json { ContentTypes::Json } else { ContentTypes::Any };
        profile.naming.json = json;
    }
    profile.max_body = reader.size("max_body").unwrap_or(profile.max_body);
    profile.allow = reader.get("allow").unwrap_or_else(|| std::mem::take(&mut profile.allow));
    profile.rate_limit = reader.rate("rate_limit").unwrap_or(profile.rate_limit);
    profile.client_rate_limit = reader.rate("client_rate_limit").unwrap_or(profile.client_rate_limit);
    let conflicts =
        [("reject", OnConflict::Reject), ("replay", OnConflict::Replay), ("new_event", OnConflict::NewEvent)];
    profile.on_conflict = reader.one_of("on_conflict", &conflicts).unwrap_or(profile.on_conflict);
    profile.wait = reader.duration("wait").or(profile.wait);
    profile.forward = forward::forward(reader);
    verifier(reader, profile);
    jwt(reader, profile);
    key_api(reader, profile);
    certified(reader, profile);
    handshake::handshakes(reader, profile);
    naming(reader, profile);
    reply(reader, &mut profile.reply);
}

/// Where the event's names stand.
fn naming(reader: &mut Reader<'_>, profile: &mut Profile) {
    let naming = &mut profile.naming;
    if let Some(at) = keys(reader, "key") {
        naming.key = at;
    }
    if let Some(at) = places(reader, "type") {
        naming.kind.at = at;
        naming.kind.agrees_with = None;
    }
    if let Some(fallback) = reader.text("type_default") {
        naming.kind.fallback = Some(Arc::from(fallback));
    }
    if let Some(at) = places(reader, "tenant") {
        naming.tenant = at;
    }
    if let Some(tenants) = reader.list("tenants") {
        naming.tenants = tenants.into_iter().map(Arc::from).collect();
    }
    if let Some(at) = places(reader, "subject") {
        naming.subject = at;
    }
    let form = reader.one_of("occurred_at_format", &TIME_FORMS);
    match (the_place(reader, "occurred_at"), form, &mut naming.occurred_at) {
        (Some(place), form, at) => *at = Some((place, form.unwrap_or(TimeForm::Any))),
        (None, Some(form), Some((_, preset))) => *preset = form,
        (None, _, _) => {}
    }
    split(reader, naming);
    naming.body_guard = reader.flag("body_guard").unwrap_or(naming.body_guard);
    match reader.duration("body_guard_window") {
        Some(_) if !naming.body_guard => reader.fault("body_guard_window", "needs `body_guard = true`"),
        Some(window) if !GUARD_WINDOWS.contains(&window) => {
            reader.fault("body_guard_window", "must be between 1s and 1d, the least for which keys are kept");
        }
        Some(window) => naming.body_guard_window = Some(window),
        None => {}
    }
}

/// `split = true` for a body that is an array, `split_at = "/events"` for an array inside it.
fn split(reader: &mut Reader<'_>, naming: &mut Naming) {
    match reader.flag("split") {
        Some(true) => naming.split = Some(naming.split.take().unwrap_or_else(Split::body)),
        Some(false) => naming.split = None,
        None => {}
    }
    if let Some(text) = reader.text("split_at") {
        match Pointer::parse(&text) {
            Some(pointer) => naming.split = Some(Split::at(pointer)),
            None => reader.fault("split_at", format!("`{text}` is no pointer: write \"/events\"")),
        }
    }
}

/// `reply = { status = 204, content_type = "text/plain", body = "OK" }`.
fn reply(reader: &mut Reader<'_>, reply: &mut Reply) {
    let Some(section) = reader.section("reply") else { return };
    let mut faults = Faults::new();
    let mut inner = section.reader(&mut faults);
    if let Some(status) = inner.number("status", 200..=299)
        && let Some(status) = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok())
    {
        reply.status = status;
    }
    if let Some(content_type) = inner.text("content_type") {
        reply.content_type = content_type.into();
    }
    if let Some(body) = inner.text("body") {
        reply.body = ReplyBody::Fixed(body.into_bytes().into());
    }
    inner.finish();
    reader.absorb(faults);
}
