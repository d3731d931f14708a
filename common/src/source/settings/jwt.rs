//! `jwt = { … }`: how a source's JSON Web Tokens are judged, and where their keys are.
//!
//! The algorithms stand here and nowhere else; HS256 and a key set exclude each other.

use std::time::Duration;

use url::Url;

use super::{
    super::{
        jwk::PublicKey,
        jwks::{KeyServer, is_loopback},
        profile::Profile,
        verify::{Jws, JwsAlgorithm, JwsAt, JwsPayload, Verifier},
    },
    places::places,
};
use crate::settings::{Faults, Reader};

/// Two clocks that disagree more are broken.
const LEEWAY_LIMIT: Duration = Duration::from_secs(600);

/// Reads the table over what the preset says; a source whose preset knows no tokens takes them as bearer tokens.
pub(super) fn jwt(reader: &mut Reader<'_>, profile: &mut Profile) {
    let Some(section) = reader.section("jwt") else { return };
    let mut faults = Faults::new();
    let mut inner = section.reader(&mut faults);
    let mut jws = profile.verifier.jws().cloned().unwrap_or_else(Jws::bearer);
    read(&mut inner, &mut jws);
    inner.finish();
    reader.absorb(faults);
    let own = |way: &&mut Verifier| matches!(way, Verifier::Jws(_));
    match &mut profile.verifier {
        Verifier::Any(ways) => {
            if let Some(way) = ways.iter_mut().find(own) {
                *way = Verifier::Jws(jws);
            }
        }
        Verifier::Signed(_) | Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Origin(_) => {
            profile.verifier = Verifier::Jws(jws);
        }
    }
}

fn read(reader: &mut Reader<'_>, jws: &mut Jws) {
    match reader.list("at").as_deref() {
        Some([place]) if place == "body" => jws.at = JwsAt::Body,
        Some(_) => jws.at = JwsAt::Places(places(reader, "at").unwrap_or_default()),
        None => {}
    }
    if let Some(text) = reader.text("payload") {
        match (text.as_str(), text.strip_prefix("digest:")) {
            ("claims", _) => jws.payload = JwsPayload::Claims,
            ("detached", _) => jws.payload = JwsPayload::Detached,
            (_, Some(claim)) if !claim.is_empty() => {
                jws.payload = JwsPayload::Digest { claim: claim.to_owned().into() }
            }
            (_, _) => reader.fault("payload", "must be \"claims\", \"detached\" or \"digest:CLAIM\""),
        }
    }
    if jws.at == JwsAt::Body && jws.payload != JwsPayload::Claims {
        reader.fault("payload", "must be \"claims\" where the body is the token: there is no other body");
    }
    jws.issuers = reader.list("issuer").unwrap_or_else(|| std::mem::take(&mut jws.issuers));
    jws.audiences = reader.list("audience").unwrap_or_else(|| std::mem::take(&mut jws.audiences));
    jws.leeway = reader.within("leeway", Duration::ZERO..=LEEWAY_LIMIT).unwrap_or(jws.leeway);
    jws.max_age = reader.duration("max_age").or(jws.max_age);
    jws.expires = reader.flag("expires").unwrap_or(jws.expires);
    let loopback = reader.flag("jwks_loopback").unwrap_or(false);
    if let Some(text) = reader.text("jwks") {
        key_set(reader, jws, &text, loopback);
    }
    if let Some(names) = reader.list("algorithms") {
        let named = |name: &String| JwsAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        match names.iter().map(named).collect::<Option<Vec<_>>>() {
            Some(algorithms) if !algorithms.is_empty() => jws.algorithms = algorithms,
            Some(_) | None => reader.fault("algorithms", "must be a list of HS256, RS256, ES256, EdDSA"),
        }
    } else if jws.has_public_keys() && jws.algorithms.contains(&JwsAlgorithm::Hs256) {
        jws.algorithms = JwsAlgorithm::PUBLIC.to_vec();
    }
    if jws.has_public_keys() && jws.algorithms.contains(&JwsAlgorithm::Hs256) {
        let why = "HS256 cannot stand beside `jwks`: public keys are no secrets; make it a source of its own";
        reader.fault("algorithms", why);
    }
}

/// `"https://…"`, `"file:PATH"`, or the set itself.
fn key_set(reader: &mut Reader<'_>, jws: &mut Jws, text: &str, loopback: bool) {
    if text.starts_with("http:") || text.starts_with("https:") {
        match Url::parse(text) {
            Ok(url) if url.scheme() == "https" || (loopback && is_loopback(&url)) => {
                jws.server = Some(KeyServer::new(url));
            }
            Ok(_) => reader.fault("jwks", "must be https: whoever can change the keys on their way can sign anything"),
            Err(fault) => reader.fault("jwks", format!("is no URL: {fault}")),
        }
        return;
    }
    let set = if text.starts_with('{') {
        Ok(text.as_bytes().to_vec())
    } else {
        reader.secret("jwks").map(|file| file.expose().to_vec()).ok_or(())
    };
    // A file that cannot be read has been noted by the reader.
    let Ok(set) = set else { return };
    match PublicKey::set(&set) {
        Ok(keys) => jws.keys = keys.into(),
        Err(fault) => reader.fault("jwks", fault.to_string()),
    }
}
