//! What operators do to campuses, with what they type checked first.
//!
//! A webhook secret is in the answer of the verb that made it and nowhere afterwards.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lychgate_common::{
    campus::{CampusError, SyncMethod},
    secret::Secret,
    store::{CampusListing, NewCampus, Run, RunCounts, Store, StoreError},
    vault::Vault,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::{
    handlers::faithflow::CampusFilter,
    reconcile::{ReconcileError, Reconciler},
};

/// How long the old webhook secret verifies beside the new one, unless the operator says otherwise: a day to change it
/// at the sender's.
pub const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// Names longer than this are a mistake.
const NAME_LIMIT: usize = 255;

/// A campus as an operator describes it.
#[derive(Clone, Debug)]
pub struct CampusToAdd {
    /// The core system's name for it.
    pub church_id: String,
    /// For people; the church id where none is given.
    pub name: Option<String>,
    /// Base URL of the core system's API.
    pub core_url: String,
    /// Bearer token for it.
    pub core_token: Secret,
    /// How it hears of changes.
    pub sync_method: SyncMethod,
    /// Which members are stored, as JSON; everybody where none is given.
    pub filters: Option<String>,
    /// The `engagement_status` of a member that sync creates; `active` where none is given.
    pub initial_engagement: Option<String>,
    /// IANA name; `UTC` where none is given.
    pub time_zone: Option<String>,
}

/// A campus that was added.
#[derive(Clone, Debug)]
pub struct AddedCampus {
    /// Ours; webhooks may carry it as `campus_id`.
    pub campus_id: Uuid,
    /// The core system's name for it.
    pub church_id: String,
    /// To be shown once.
    pub webhook_secret: Secret,
    /// What an operator should think about.
    pub warnings: Vec<String>,
}

/// A new webhook secret.
#[derive(Clone, Debug)]
pub struct RotatedSecret {
    /// To be shown once.
    pub webhook_secret: Secret,
    /// Until when the old one verifies too.
    pub old_until: Timestamp,
}

/// What a reconciliation did.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReconcileReport {
    /// The run.
    pub run: Uuid,
    /// `done`, or `left_alone` where the core system's answer was implausible.
    pub outcome: &'static str,
    /// Why it was left alone.
    pub why: Option<String>,
    /// Members that the core system told of.
    pub fetched: i64,
    /// What was done about them.
    #[serde(flatten)]
    pub counts: RunCounts,
}

/// Why a campus was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CampusVerbError {
    /// Something that was typed; every mistake at once, one a line.
    #[error("{}", .0.join("\n"))]
    Input(Vec<String>),
    /// The campus, or our own house.
    #[error(transparent)]
    Campus(#[from] CampusError),
}

/// Adds a campus, whose webhook secret is returned once.
///
/// # Errors
/// [`CampusVerbError::Input`] with everything that is wrong; [`CampusError::Exists`]; our own trouble.
pub async fn add(
    store: &Store,
    vault: &Vault,
    campus: CampusToAdd,
    actor: &str,
) -> Result<AddedCampus, CampusVerbError> {
    let (new, warnings) = checked(campus).map_err(CampusVerbError::Input)?;
    let (campus_id, webhook_secret) = store.add_campus(&new, actor, vault).await?;
    Ok(AddedCampus { campus_id, church_id: new.church_id, webhook_secret, warnings })
}

/// All campuses, without their secrets.
///
/// # Errors
/// The store's trouble.
pub async fn list(store: &Store) -> Result<Vec<CampusListing>, StoreError> {
    store.list_campuses().await
}

/// Switches a campus's sync on or off. Gateways follow within seconds.
///
/// # Errors
/// [`CampusError::Unknown`]; the store's trouble.
pub async fn enable(store: &Store, church_id: &str, enabled: bool, actor: &str) -> Result<(), CampusError> {
    store.enable_campus(church_id, enabled, actor).await
}

/// Gives a campus a new webhook secret, returned once; the old one verifies for `overlap` longer (zero: not at all).
///
/// # Errors
/// [`CampusError::Unknown`]; our own trouble.
pub async fn rotate_secret(
    store: &Store,
    vault: &Vault,
    church_id: &str,
    overlap: Duration,
    actor: &str,
) -> Result<RotatedSecret, CampusError> {
    let now = store.clock().now();
    let webhook_secret = store.rotate_campus_secret(church_id, overlap, actor, vault).await?;
    let until = SignedDuration::try_from(overlap).ok().and_then(|overlap| now.checked_add(overlap).ok());
    Ok(RotatedSecret { webhook_secret, old_until: until.unwrap_or(Timestamp::MAX) })
}

/// Reconciles a campus now. A run that is stopped goes on in a worker later.
///
/// # Errors
/// [`ReconcileError`].
pub async fn reconcile(
    reconciler: &Reconciler,
    church_id: &str,
    forced: bool,
    stop: &CancellationToken,
) -> Result<ReconcileReport, ReconcileError> {
    let run: Run = reconciler.demand(church_id, forced, stop).await?;
    Ok(ReconcileReport {
        run: run.id,
        outcome: run.phase.name(),
        why: run.error,
        fetched: run.fetched,
        counts: run.counts,
    })
}

/// Everything that can be said before the database is asked: the campus as it will be stored, and warnings.
fn checked(campus: CampusToAdd) -> Result<(NewCampus, Vec<String>), Vec<String>> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let church_id = campus.church_id.trim().to_owned();
    if church_id.is_empty() || church_id.len() > NAME_LIMIT || church_id.chars().any(char::is_control) {
        mistakes.push(format!("--church-id must be 1 to {NAME_LIMIT} printable characters"));
    }
    match Url::parse(&campus.core_url) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            mistakes.push("--core-url must be an http or https URL, like https://core.example.org".to_owned());
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() || url.query().is_some() => {
            mistakes.push("--core-url must have neither credentials nor a query: the token is given apart".to_owned());
        }
        Ok(url) if url.scheme() == "http" => {
            warnings.push("the core URL is plain http: the token and members' data travel unencrypted".to_owned());
        }
        Ok(_) => {}
        Err(error) => mistakes.push(format!("--core-url is no URL: {error}")),
    }
    let token = campus.core_token.expose();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        mistakes.push("--core-token must be printable ASCII without spaces, as it stands after `Bearer `".to_owned());
    }
    let time_zone = campus.time_zone.unwrap_or_else(|| "UTC".to_owned());
    if TimeZone::get(&time_zone).is_err() {
        mistakes.push(format!("--time-zone `{time_zone}` is unknown: an IANA name, like Asia/Jakarta"));
    }
    let filters = match campus.filters.as_deref().map(serde_json::from_str::<Value>) {
        None => json!({}),
        Some(Ok(filters)) => {
            if let Err(error) = CampusFilter::read(&filters) {
                mistakes.push(format!("--filters: {error}"));
            }
            filters
        }
        Some(Err(error)) => {
            mistakes.push(format!("--filters is not JSON: {error}"));
            json!({})
        }
    };
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let new = NewCampus {
        name: campus.name.unwrap_or_else(|| church_id.clone()),
        church_id,
        core_api_url: campus.core_url,
        core_token: campus.core_token,
        sync_method: campus.sync_method,
        filters,
        initial_engagement: campus.initial_engagement.unwrap_or_else(|| "active".to_owned()),
        time_zone,
    };
    Ok((new, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campus() -> CampusToAdd {
        CampusToAdd {
            church_id: "church".into(),
            name: None,
            core_url: "https://core.example.org".into(),
            core_token: Secret::from("token"),
            sync_method: SyncMethod::Webhook,
            filters: None,
            initial_engagement: None,
            time_zone: None,
        }
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let wrong = CampusToAdd {
            church_id: " ".into(),
            core_url: "ftp://core".into(),
            core_token: Secret::from("two words"),
            filters: Some("{\"rules\": 1}".into()),
            time_zone: Some("Mars/Olympus".into()),
            ..campus()
        };
        let mistakes = checked(wrong).unwrap_err();
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    }

    #[test]
    fn plain_http_is_taken_with_a_warning() {
        assert_eq!(checked(campus()).unwrap().1.len(), 0);
        let plain = CampusToAdd { core_url: "http://core:8000".into(), ..campus() };
        assert_eq!(checked(plain).unwrap().1.len(), 1);
    }
}
