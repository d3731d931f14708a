//! *Authenticate*: is it from who it says it is from?
//!
//! Over the raw bytes, with every active secret, in constant time; that is the source's business. This step finds the
//! secrets (a campus's stand in the store, a key set at its server), counts failures against the address, and only then the source's share.
//! Never parses a body, but for the one look that document B's senders force: whose secret is it?

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use lychgate_common::{
    campus::{Campus, Directory},
    source::{Authentic, Key, KeyForm, Keys, Refused, Request, Source},
};

use super::{Admitted, Trail};
use crate::{house::House, refusal::Refusal, throttle::Share};

/// A request that one of the source's secrets vouches for.
#[derive(Debug)]
pub(crate) struct Authenticated<'a> {
    pub(crate) admitted: Admitted<'a>,
    pub(crate) tenant: Option<Arc<str>>,
    /// Whether the source has used up its share, and the event is to wait.
    pub(crate) share: Share,
    /// The verified payload, where the body was a token.
    payload: Option<Bytes>,
}

impl Authenticated<'_> {
    /// What the event is read from: the request, with a token's payload in the token's place.
    pub(crate) fn request(&self) -> Request<'_> {
        match &self.payload {
            Some(payload) => self.admitted.arrival.request(payload),
            None => self.admitted.request(),
        }
    }
}

/// Verifies the request's credentials, or refuses it.
pub(crate) async fn authenticate<'a>(
    house: &House,
    admitted: Admitted<'a>,
    trail: &mut Trail,
) -> Result<Authenticated<'a>, Refusal> {
    let source = admitted.arrival.source;
    let request = admitted.request();
    let (verified, campus) = verify(house, source, &request).await?;
    trail.tenant = campus.as_ref().map(|campus| Arc::from(campus.id.to_string()));
    let authentic = verified.inspect_err(|refused| {
        if refused.is_authentication() {
            house.throttle.failed(admitted.arrival.address);
        }
    })?;
    trail.authentic = true;
    if authentic.payload.is_some() {
        trail.body.clone_from(&authentic.payload);
    }
    let tenant = campus.as_ref().map(|campus| Arc::from(campus.id.to_string()));
    house.log.used(source.name(), tenant.as_deref().unwrap_or(""), &authentic.secret, admitted.arrival.received_at);
    if campus.is_some_and(|campus| !campus.takes_webhooks()) {
        return Err(Refusal::TenantDisabled);
    }
    let share = house.throttle.share(source.name())?;
    Ok(Authenticated { admitted, tenant, share, payload: authentic.payload })
}

/// Checks credentials against the keys that the source has now; the campus, where its keys are a campus's.
pub(crate) async fn verify(
    house: &House,
    source: &Source,
    request: &Request<'_>,
) -> Result<(Result<Authentic, Refused>, Option<Arc<Campus>>), Refusal> {
    match source.keys() {
        Keys::Fixed(keys) => {
            house.key_sets.refresh(source, request).await;
            Ok((source.authenticate(request, keys), None))
        }
        Keys::ByTenant => {
            let hint = source.tenant_hint(request)?;
            let (Some(directory), Some(name)) = (&house.campuses, hint.as_deref()) else {
                return Err(Refusal::TenantUnknown);
            };
            by_campus(house, source, request, directory, name).await
        }
    }
}

/// Checks against what is remembered of the campus; before that refuses anybody, against what the database says now.
async fn by_campus(
    house: &House,
    source: &Source,
    request: &Request<'_>,
    directory: &Directory,
    name: &str,
) -> Result<(Result<Authentic, Refused>, Option<Arc<Campus>>), Refusal> {
    let asked = Instant::now();
    let remembered = directory.find(name).await.map_err(|error| {
        tracing::error!(%error, "a campus could not be looked up");
        Refusal::NotDurable
    })?;
    let verified = remembered.as_ref().map(|campus| source.authenticate(request, &keys_of(campus, house)));
    let refuses = match (&remembered, &verified) {
        (Some(campus), Some(Ok(_))) => !campus.takes_webhooks(),
        (Some(_), Some(Err(refused))) => *refused == Refused::SignatureWrong,
        (_, _) => true,
    };
    if refuses && let Some(newer) = directory.find_newer(name, asked).await {
        return Ok((source.authenticate(request, &keys_of(&newer, house)), Some(newer)));
    }
    match (remembered, verified) {
        (Some(campus), Some(verified)) => Ok((verified, Some(campus))),
        (_, _) => Err(Refusal::TenantUnknown),
    }
}

fn keys_of(campus: &Campus, house: &House) -> Vec<Key> {
    // A secret that is no key cannot verify anything; the campus's other secrets still can.
    campus.active_secrets(house.clock.now()).filter_map(|secret| Key::read(secret, KeyForm::Text).ok()).collect()
}
