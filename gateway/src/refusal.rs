//! Why a request is answered with anything but success: one closed list, one table.
//!
//! Status, name, words, `Retry-After` and suspicion stand together in exhaustive matches, so that a new refusal forces
//! every decision. The words never carry the text of an inner error; that goes to the log, once, where it happened.

use std::time::Duration;

use hyper::StatusCode;
use lychgate_common::{event::EventId, source::Refused, webhook::WebhookRefused};

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// No source and no page has this path.
    NotFound,
    /// The path is right, the method is not; lists the right ones.
    MethodNotAllowed(String),
    /// The source takes requests only from certain addresses.
    AddressForbidden,
    /// This client address sends too much, or has failed to authenticate too often.
    AddressLimited(Duration),
    /// More bytes than the source takes, declared or arrived.
    TooLarge(usize),
    /// Not a content type that the source takes.
    MediaType,
    /// A `Content-Encoding`: signatures are over the bytes as sent, and bombs are not welcome.
    Encoded,
    /// The body did not arrive in time.
    BodySlow(Duration),
    /// The body broke off.
    BodyBroken,
    /// The source's own rules refuse it.
    Source(Refused),
    /// No campus of this name is configured.
    TenantUnknown,
    /// Its sync is switched off.
    TenantDisabled,
    /// The source has used up its share.
    SourceLimited(Duration),
    /// The key belongs to another event, whose body differs.
    KeyConflict(EventId),
    /// The database refuses the data itself: of the request, or of its element at this pointer.
    Unstorable(Option<String>),
    /// Too much is under way.
    Overloaded,
    /// The event could not be made durable.
    NotDurable,
    /// A magic token that is unknown, expired or spent.
    MagicToken,
    /// What a page needs is away.
    Unavailable,
    /// No operator's token is configured.
    SimulationOff,
    /// This process has no handlers to ask.
    NoHandlers,
    /// No API key is configured.
    WebhooksOff,
    /// What was asked about a webhook cannot be.
    Webhook(WebhookRefused),
}

impl Refusal {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::TenantUnknown => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::AddressForbidden | Self::TenantDisabled => StatusCode::FORBIDDEN,
            Self::AddressLimited(_) | Self::SourceLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType | Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodySlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken | Self::Unstorable(_) => StatusCode::BAD_REQUEST,
            Self::Source(refused) => refused.status(),
            Self::KeyConflict(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded | Self::NotDurable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::MagicToken => StatusCode::UNAUTHORIZED,
            Self::SimulationOff | Self::WebhooksOff => StatusCode::FORBIDDEN,
            Self::Webhook(refused) => refused.status(),
            Self::NoHandlers => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The stable name in metrics, logs and the log of deliveries.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::AddressForbidden => "address_forbidden",
            Self::AddressLimited(_) => "address_limited",
            Self::TooLarge(_) => "too_large",
            Self::MediaType => "media_type",
            Self::Encoded => "encoded",
            Self::BodySlow(_) => "body_slow",
            Self::BodyBroken => "body_broken",
            Self::Source(refused) => refused.name(),
            Self::TenantUnknown => "tenant_unknown",
            Self::TenantDisabled => "tenant_disabled",
            Self::SourceLimited(_) => "source_limited",
            Self::KeyConflict(_) => "key_conflict",
            Self::Unstorable(_) => "unstorable",
            Self::Overloaded => "overloaded",
            Self::NotDurable => "not_durable",
            Self::MagicToken => "magic_token",
            Self::Unavailable => "unavailable",
            Self::SimulationOff => "simulation_off",
            Self::NoHandlers => "no_handlers",
            Self::WebhooksOff => "webhooks_off",
            Self::Webhook(refused) => refused.name(),
        }
    }

    /// The sender's `{"detail": …}`: what was wrong and what to do.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::NotFound => "No webhook endpoint has this path".to_owned(),
            Self::MethodNotAllowed(allowed) => format!("Method not allowed: use {allowed}"),
            Self::AddressForbidden => "This source does not accept requests from your address".to_owned(),
            Self::AddressLimited(_) => "Too many requests from your address: retry later".to_owned(),
            Self::TooLarge(limit) => format!("Body is too large: at most {limit} bytes are allowed"),
            Self::MediaType => "Unsupported content type: use application/json".to_owned(),
            Self::Encoded => "Content-Encoding is not supported: send the body uncompressed".to_owned(),
            Self::BodySlow(limit) => {
                format!("Body did not arrive in time: it must be complete within {} seconds", limit.as_secs())
            }
            Self::BodyBroken => "Body broke off before it was complete".to_owned(),
            Self::Source(refused) => refused.detail(),
            Self::TenantUnknown => "Sync not configured for this campus".to_owned(),
            Self::TenantDisabled => "Sync is disabled for this campus".to_owned(),
            Self::SourceLimited(_) => "Rate limit exceeded for this source: retry later".to_owned(),
            Self::KeyConflict(first) => format!(
                "Idempotency key was used before with a different body (event {first}): send a new event under a new key"
            ),
            Self::Unstorable(None) => {
                "The event cannot be stored, because the database refuses its data: sending it again unchanged is useless"
                    .to_owned()
            }
            Self::Unstorable(Some(pointer)) => format!(
                "No event of this request was stored, because the database refuses the data of {pointer}: mend that one or \
                 leave it out, and send the others again"
            ),
            Self::Overloaded => "Too busy: retry shortly".to_owned(),
            Self::NotDurable => "The event could not be stored: retry shortly".to_owned(),
            Self::MagicToken => "Invalid or expired magic token: ask for a new one".to_owned(),
            Self::Unavailable => "Temporarily unavailable: retry shortly".to_owned(),
            Self::SimulationOff => "Simulation is switched off: set ops.operator_token to allow it".to_owned(),
            Self::WebhooksOff => "Webhooks cannot be managed here: set webhooks.api_keys to allow it".to_owned(),
            Self::Webhook(refused) => refused.to_string(),
            Self::NoHandlers => {
                "This gateway runs without handlers: simulate with `lychgate up`, or rehearse a stored \
                event with `lychgate dead-letters rehearse`"
                    .to_owned()
            }
        }
    }

    /// When to come again, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::AddressLimited(wait) | Self::SourceLimited(wait) => Some(*wait),
            Self::Overloaded => Some(Duration::from_secs(1)),
            Self::NotDurable | Self::Unavailable => Some(Duration::from_secs(5)),
            Self::Source(Refused::KeysUnreachable) => Some(lychgate_common::source::COOL_DOWN),
            Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::AddressForbidden
            | Self::TooLarge(_)
            | Self::MediaType
            | Self::Encoded
            | Self::BodySlow(_)
            | Self::BodyBroken
            | Self::Source(_)
            | Self::TenantUnknown
            | Self::TenantDisabled
            | Self::KeyConflict(_)
            | Self::Unstorable(_)
            | Self::MagicToken
            | Self::SimulationOff
            | Self::NoHandlers
            | Self::WebhooksOff
            | Self::Webhook(_) => None,
        }
    }

    /// Whether it looks like an attack, and becomes a security event.
    pub(crate) fn is_suspicious(&self) -> bool {
        match self {
            Self::Source(refused) => refused.is_authentication(),
            Self::AddressForbidden | Self::AddressLimited(_) | Self::KeyConflict(_) => true,
            Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::TooLarge(_)
            | Self::MediaType
            | Self::Encoded
            | Self::BodySlow(_)
            | Self::BodyBroken
            | Self::TenantUnknown
            | Self::TenantDisabled
            | Self::SourceLimited(_)
            | Self::Unstorable(_)
            | Self::Overloaded
            | Self::NotDurable
            | Self::MagicToken
            | Self::Unavailable
            | Self::SimulationOff
            | Self::NoHandlers
            | Self::WebhooksOff
            | Self::Webhook(_) => false,
        }
    }

    /// Whether the rest of the body is still on its way, so that the connection cannot be used again.
    pub(crate) fn leaves_body(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::BodySlow(_) | Self::BodyBroken)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Source(refused)
    }
}
