//! The core system's API (FaithFlow Enterprise), as far as sync needs it: one member, and the members page by page.
//!
//! Every call has a deadline, a size limit and a circuit breaker per destination. What an answer means for an event is
//! decided here once: [`CoreError`] says whether trying again can help. Nothing here knows our tables.

mod answer;
mod member;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{StatusCode, Uri};
use jiff::Timestamp;
use lychgate_common::{campus::Campus, settings::FaithflowSettings};
use serde_json::Value;
use url::Url;

pub(crate) use self::member::{id, is_active};
pub use self::{
    answer::Page,
    member::{CoreMember, Malformed},
};
use crate::{
    breaker::{Breakers, Open},
    http::{Answer, Destinations, Http, HttpError, HttpLimits},
};

/// A core system that has not taken the connection by then will not answer in time either.
const CONNECT: Duration = Duration::from_secs(3);
/// Longer member ids than this are nobody's.
const MEMBER_ID_LIMIT: usize = 255;

/// How a core system is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoreApiSettings {
    /// For one request, and what is read of its answer.
    pub limits: HttpLimits,
    /// Requests repeated at once when there is no answer.
    pub retries: u8,
    /// Members asked for in one page.
    pub page_size: u16,
}

impl From<&FaithflowSettings> for CoreApiSettings {
    fn from(settings: &FaithflowSettings) -> Self {
        Self {
            limits: HttpLimits { total: settings.core_timeout, body: settings.core_max_body.bytes() },
            retries: settings.core_retries,
            page_size: settings.reconcile_page,
        }
    }
}

/// Why the core system could not be asked, or what was wrong with its answer.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// It does not know the member.
    #[error("Member not found")]
    NotFound,
    /// The member id cannot stand in a URL.
    #[error("`{0}` cannot be a member id")]
    MemberId(String),
    /// The campus's base URL is not one.
    #[error("the campus's core API URL is wrong: {0}")]
    Url(String),
    /// It refuses us, and will refuse us again.
    #[error("the core API answered {0}")]
    Refused(StatusCode),
    /// It is in trouble, or busy.
    #[error("the core API answered {status}")]
    Busy {
        /// Its answer.
        status: StatusCode,
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// It did not answer.
    #[error("the core API did not answer")]
    Unreachable(#[source] HttpError),
    /// Its answer is larger than we read.
    #[error("the core API's answer is too large")]
    TooLarge(#[source] HttpError),
    /// It failed too often lately to be asked now.
    #[error("the core API is not asked for now")]
    CircuitOpen(#[source] Open),
    /// Its answer is not what the document says.
    #[error("the core API's answer cannot be read: {0}")]
    Malformed(#[from] Malformed),
}

impl CoreError {
    /// The failure's class, from a closed set.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotFound => "member_not_found",
            Self::MemberId(_) => "member_id_invalid",
            Self::Url(_) => "core_url_invalid",
            Self::Refused(_) => "core_refused",
            Self::Busy { .. } => "core_busy",
            Self::Unreachable(_) => "core_unreachable",
            Self::TooLarge(_) => "core_answer_too_large",
            Self::CircuitOpen(_) => "core_circuit_open",
            Self::Malformed(_) => "core_answer_malformed",
        }
    }

    /// Whether another try, later, can help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unreachable(_) | Self::CircuitOpen(_) => true,
            Self::NotFound
            | Self::MemberId(_)
            | Self::Url(_)
            | Self::Refused(_)
            | Self::TooLarge(_)
            | Self::Malformed(_) => false,
        }
    }

    /// How long the other side wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::CircuitOpen(open) => Some(open.retry_in),
            Self::NotFound
            | Self::MemberId(_)
            | Self::Url(_)
            | Self::Refused(_)
            | Self::Unreachable(_)
            | Self::TooLarge(_)
            | Self::Malformed(_) => None,
        }
    }
}

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CoreApi {
    http: Http,
    breakers: Breakers,
    settings: Arc<CoreApiSettings>,
}

impl CoreApi {
    /// A client as the settings describe it; `breakers` shows the core systems' states.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn open(settings: &FaithflowSettings, breakers: Breakers) -> io::Result<Self> {
        let destinations = if settings.allow_private_core { Destinations::Any } else { Destinations::Public };
        let http = Http::new(CONNECT.min(settings.core_timeout), destinations)?;
        Ok(Self::new(http, breakers, settings.into()))
    }

    /// The core systems' breakers, for metrics and the console.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// A client over given connections and breakers.
    pub fn new(http: Http, breakers: Breakers, settings: CoreApiSettings) -> Self {
        Self { http, breakers, settings: Arc::new(settings) }
    }

    /// `GET {core}/api/members/{member_id}`.
    ///
    /// # Errors
    /// [`CoreError`].
    pub async fn member(&self, campus: &Campus, member_id: &str, now: Timestamp) -> Result<CoreMember, CoreError> {
        let strange = member_id.is_empty()
            || member_id.len() > MEMBER_ID_LIMIT
            || matches!(member_id, "." | "..")
            || member_id.chars().any(char::is_control);
        if strange {
            return Err(CoreError::MemberId(member_id.chars().take(64).collect()));
        }
        let url = endpoint(campus, Some(member_id))?;
        let value = self.get(campus, &url, now).await?;
        Ok(CoreMember::read(answer::member(value)?, Some(member_id))?)
    }

    /// `GET {core}/api/members?page=…&limit=…`. `None` where the core system knows no such page.
    ///
    /// # Errors
    /// [`CoreError`].
    pub async fn page(&self, campus: &Campus, page: u32, now: Timestamp) -> Result<Option<Page>, CoreError> {
        let mut url = endpoint(campus, None)?;
        url.query_pairs_mut()
            .append_pair("page", &page.to_string())
            .append_pair("limit", &self.settings.page_size.to_string());
        match self.get(campus, &url, now).await {
            Ok(value) => Ok(Some(answer::page(value, page)?)),
            Err(CoreError::NotFound) if page > 1 => Ok(None),
            Err(CoreError::NotFound) => Err(CoreError::Refused(StatusCode::NOT_FOUND)),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, campus: &Campus, url: &Url, now: Timestamp) -> Result<Value, CoreError> {
        let uri: Uri = url.as_str().parse().map_err(|_| CoreError::Url(campus.core_api_url.clone()))?;
        let mut left = self.settings.retries;
        loop {
            match self.once(campus, &uri, now).await {
                Err(CoreError::Unreachable(_)) if left > 0 => left -= 1,
                answer => return Ok(answer::json(&answer?.body)?),
            }
        }
    }

    async fn once(&self, campus: &Campus, uri: &Uri, now: Timestamp) -> Result<Answer, CoreError> {
        let destination = uri.authority().map_or("", |authority| authority.as_str());
        let permit = self.breakers.of(destination).admit(Instant::now()).map_err(CoreError::CircuitOpen)?;
        let token = campus.core_token.expose_str().filter(|token| !token.is_empty());
        let answer = match self.http.get(uri, token, self.settings.limits, now).await {
            Ok(answer) => answer,
            Err(error @ HttpError::TooLarge(_)) => {
                permit.succeeded();
                return Err(CoreError::TooLarge(error));
            }
            Err(error @ (HttpError::Request(_) | HttpError::Forbidden(_))) => {
                return Err(CoreError::Url(error.to_string()));
            }
            Err(error @ (HttpError::Connect(_) | HttpError::Broken(_) | HttpError::TimedOut(_))) => {
                permit.failed(Instant::now());
                return Err(CoreError::Unreachable(error));
            }
        };
        if answer.status.is_server_error() {
            permit.failed(Instant::now());
        } else {
            permit.succeeded();
        }
        verdict(&answer)?;
        Ok(answer)
    }
}

/// What a status means: 404 is an answer about the member, 408, 429 and 5xx pass, every other refusal stays.
fn verdict(answer: &Answer) -> Result<(), CoreError> {
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err(CoreError::NotFound),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            Err(CoreError::Busy { status, retry_after: answer.retry_after })
        }
        status if status.is_server_error() => Err(CoreError::Busy { status, retry_after: answer.retry_after }),
        status => Err(CoreError::Refused(status)),
    }
}

/// `{core}/api/members[/{member}]`; a base that already ends in `/api` is taken as meant.
fn endpoint(campus: &Campus, member: Option<&str>) -> Result<Url, CoreError> {
    let wrong = || CoreError::Url(campus.core_api_url.clone());
    let mut url = Url::parse(&campus.core_api_url).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let has_api = url.path().trim_end_matches('/').ends_with("/api");
    {
        let mut path = url.path_segments_mut().map_err(|()| wrong())?;
        path.pop_if_empty();
        if !has_api {
            path.push("api");
        }
        path.push("members").extend(member);
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}
