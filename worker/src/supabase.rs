//! Supabase Auth's admin API, as far as IBAM needs it: an auth user with this e-mail address exists.
//!
//! Safe to ask twice: an address that is taken is success. The service key is shown to the configured address only and
//! never logged.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, StatusCode, Uri,
    header::{self, HeaderValue},
};
use jiff::Timestamp;
use lychgate_common::{secret::Secret, settings::SupabaseSettings};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    breaker::{BreakerSettings, Breakers, Open},
    http::{Answer, Destinations, Http, HttpError, HttpLimits},
};

/// A server that has not taken the connection by then will not answer in time either.
const CONNECT: Duration = Duration::from_secs(3);
/// More of an answer is not read: a user is under 4 KiB.
const ANSWER: usize = 64 * 1024;

/// An auth user that exists now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuthUser {
    /// Supabase's id; `None` where the address was taken before, which Supabase answers without an id.
    pub id: Option<Uuid>,
}

/// Why Supabase could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum SupabaseError {
    /// The address in the settings cannot be called.
    #[error("supabase.url cannot be called: {0}")]
    Url(String),
    /// It refuses us, and will refuse us again: the key, or the address of the mail.
    #[error("Supabase answered {status}: {message}")]
    Refused {
        /// Its answer.
        status: StatusCode,
        /// Its words.
        message: String,
    },
    /// It is in trouble, or busy.
    #[error("Supabase answered {status}")]
    Busy {
        /// Its answer.
        status: StatusCode,
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// It did not answer.
    #[error("Supabase did not answer")]
    Unreachable(#[source] HttpError),
    /// It failed too often lately to be asked now.
    #[error("Supabase is not asked for now")]
    CircuitOpen(#[source] Open),
}

impl SupabaseError {
    /// The failure's class, from a closed set.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Url(_) => "supabase_url_invalid",
            Self::Refused { .. } => "supabase_refused",
            Self::Busy { .. } => "supabase_busy",
            Self::Unreachable(_) => "supabase_unreachable",
            Self::CircuitOpen(_) => "supabase_circuit_open",
        }
    }

    /// Whether another try, later, can help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unreachable(_) | Self::CircuitOpen(_) => true,
            Self::Url(_) | Self::Refused { .. } => false,
        }
    }

    /// How long it wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::CircuitOpen(open) => Some(open.retry_in),
            Self::Url(_) | Self::Refused { .. } | Self::Unreachable(_) => None,
        }
    }
}

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Supabase {
    http: Http,
    breakers: Breakers,
    endpoint: Uri,
    key: Secret,
    limits: HttpLimits,
}

impl Supabase {
    /// A client as the settings describe it; `None` where they describe none.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the address is none.
    pub fn open(settings: &SupabaseSettings) -> io::Result<Option<Self>> {
        let (Some(url), Some(key)) = (&settings.url, &settings.service_key) else { return Ok(None) };
        let destinations = if settings.allow_private { Destinations::Any } else { Destinations::Public };
        let endpoint = format!("{}/auth/v1/admin/users", url.as_str().trim_end_matches('/'));
        Ok(Some(Self {
            http: Http::new(CONNECT.min(settings.timeout), destinations)?,
            breakers: Breakers::new(BreakerSettings::new(settings.breaker_failures.into(), settings.breaker_pause)),
            endpoint: endpoint.parse().map_err(io::Error::other)?,
            key: key.clone(),
            limits: HttpLimits { total: settings.timeout, body: ANSWER },
        }))
    }

    /// Its one breaker, for metrics and the console.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    fn request(&self, body: &Value, key: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let secret = |text: &str| {
            let mut value = HeaderValue::try_from(text)?;
            value.set_sensitive(true);
            Ok::<_, hyper::http::Error>(value)
        };
        Request::post(&self.endpoint)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, secret(&format!("Bearer {key}"))?)
            .header("apikey", secret(key)?)
            .body(Full::new(Bytes::from(body.to_string())))
    }

    /// Sees to it that an auth user with this address exists, its address confirmed.
    ///
    /// # Errors
    /// [`SupabaseError`].
    pub async fn ensure_user(
        &self,
        email: &str,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<AuthUser, SupabaseError> {
        let key = self.key.expose_str().unwrap_or_default();
        let mut body = json!({ "email": email, "email_confirm": true });
        if let (Some(name), Value::Object(body)) = (name, &mut body) {
            body.insert("user_metadata".to_owned(), json!({ "name": name }));
        }
        let permit = self.breakers.of("supabase").admit(Instant::now()).map_err(SupabaseError::CircuitOpen)?;
        let request = self.request(&body, key).map_err(|error| SupabaseError::Url(error.to_string()))?;
        let answer = match self.http.deliver(request, self.limits, now).await {
            Ok(answer) => answer,
            Err(error @ (HttpError::Request(_) | HttpError::Forbidden(_))) => {
                return Err(SupabaseError::Url(error.to_string()));
            }
            Err(
                error
                @ (HttpError::Connect(_) | HttpError::Broken(_) | HttpError::TimedOut(_) | HttpError::TooLarge(_)),
            ) => {
                permit.failed(Instant::now());
                return Err(SupabaseError::Unreachable(error));
            }
        };
        if answer.status.is_server_error() {
            permit.failed(Instant::now());
        } else {
            permit.succeeded();
        }
        verdict(&answer)
    }
}

/// What an answer means. A taken address is 422 `email_exists` (older servers: 422 or 400 with words).
fn verdict(answer: &Answer) -> Result<AuthUser, SupabaseError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = answer.status;
    if status.is_success() {
        return Ok(AuthUser { id: word("id").parse().ok() });
    }
    let message = [word("msg"), word("message"), word("error_description")].into_iter().find(|text| !text.is_empty());
    let message = message.unwrap_or_default().chars().take(200).collect::<String>();
    let taken = matches!(word("error_code"), "email_exists" | "user_already_exists")
        || message.contains("already been registered")
        || message.contains("already registered");
    match status {
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST if taken => {
            Ok(AuthUser { id: None })
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(SupabaseError::Busy { status, retry_after: answer.retry_after })
        }
        status if status.is_server_error() => Err(SupabaseError::Busy { status, retry_after: answer.retry_after }),
        status => Err(SupabaseError::Refused { status, message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Result<AuthUser, SupabaseError> {
        let status = StatusCode::from_u16(status).unwrap();
        verdict(&Answer { status, retry_after: None, location: None, body: Bytes::copy_from_slice(body.as_bytes()) })
    }

    #[test]
    fn a_taken_address_is_success_and_every_other_answer_has_its_class() {
        let id = "8655d76b-9be0-4681-bd2c-35cd5e09a809";
        assert_eq!(said(200, &format!(r#"{{"id":"{id}"}}"#)).unwrap().id, id.parse().ok());
        for taken in [
            r#"{"code":422,"error_code":"email_exists","msg":"A user with this email address has already been registered"}"#,
            r#"{"code":422,"msg":"A user with this email address has already been registered"}"#,
        ] {
            assert_eq!(said(422, taken).unwrap(), AuthUser { id: None });
        }
        let failed = |status, body| {
            let error = said(status, body).unwrap_err();
            (error.class(), error.is_temporary())
        };
        assert_eq!(failed(422, r#"{"error_code":"validation_failed","msg":"bad"}"#), ("supabase_refused", false));
        assert_eq!(failed(401, "no JSON"), ("supabase_refused", false));
        assert_eq!(failed(429, "{}"), ("supabase_busy", true));
        assert_eq!(failed(503, "{}"), ("supabase_busy", true));
    }
}
