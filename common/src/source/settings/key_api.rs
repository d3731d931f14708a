//! `key_api = { … }`: the interface that hands a sender's keys out one by one, and our credentials there (Plaid).

use url::Url;

use super::super::{
    jwks::is_loopback,
    key_api::{KeyApi, PLAID},
    profile::Profile,
    verify::{JwsPayload, Verifier},
};
use crate::settings::{Faults, Reader};

/// Reads the table.
pub(super) fn key_api(reader: &mut Reader<'_>, profile: &mut Profile) {
    let Some(section) = reader.section("key_api") else { return };
    let Verifier::Jws(jws) = &mut profile.verifier else {
        return reader.fault("key_api", "is not used: this source's sender hands no keys out");
    };
    if !matches!(jws.payload, JwsPayload::Digest { .. }) {
        return reader.fault("key_api", "is not used: this source's sender publishes its keys, see `jwt.jwks`");
    }
    let mut faults = Faults::new();
    let mut inner = section.reader(&mut faults);
    let loopback = inner.flag("loopback").unwrap_or(false);
    let written = inner.text("url").unwrap_or_else(|| PLAID.to_owned());
    let client_id = inner.required_text("client_id", "Plaid hands keys out to those who have an account");
    let secret = inner.secret("secret");
    if secret.is_none() && !section.has("secret") {
        inner.fault("secret", "is missing: the account's secret for this environment, as \"env:NAME\"");
    }
    match (Url::parse(&written), client_id, secret) {
        (Ok(url), Some(client_id), Some(secret)) if url.scheme() == "https" || (loopback && is_loopback(&url)) => {
            jws.api = Some(KeyApi::new(&url, &client_id, secret));
        }
        (Ok(url), _, _) if url.scheme() != "https" && !(loopback && is_loopback(&url)) => {
            inner.fault("url", "must be https: our credentials go there, and its keys are believed");
        }
        (Err(fault), _, _) => inner.fault("url", format!("is no URL: {fault}")),
        (Ok(_), _, _) => {}
    }
    inner.finish();
    reader.absorb(faults);
}
