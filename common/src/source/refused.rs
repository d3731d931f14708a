//! Why a request is refused before it becomes an event: one closed list, each with its name, its status and its words.
//!
//! The words are those of document B ("Missing webhook signature", …), on every route, because a sender's developer
//! reads them. They never carry a secret, a signature or the body.

use std::borrow::Cow;

use hyper::StatusCode;
use thiserror::Error;

/// A request that will not become an event. `Display` is the `detail` that the sender is shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// No signature was sent at all.
    #[error("Missing webhook signature")]
    CredentialsMissing,
    /// Something was sent in the signature's place that cannot be one.
    #[error("Invalid webhook signature: {why}")]
    CredentialsMalformed {
        /// What is wrong with its form.
        why: Cow<'static, str>,
    },
    /// No active secret of the source made this signature for these bytes.
    #[error("Invalid webhook signature")]
    SignatureWrong,
    /// No API key or token was sent.
    #[error("Missing API key")]
    TokenMissing,
    /// The API key or token is none of the active ones.
    #[error("Invalid API key")]
    TokenWrong,
    /// No JSON Web Token was sent.
    #[error("Missing bearer token")]
    JwtMissing,
    /// The JSON Web Token is not to be trusted.
    #[error("Invalid token: {why}")]
    JwtWrong {
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// The key that signed is not known, and those who publish it cannot be reached.
    #[error("The keys of this source's sender cannot be fetched at the moment: retry shortly")]
    KeysUnreachable,
    /// The event is of an account that this source does not take events of.
    #[error("This source does not take events of this account")]
    TenantForeign,
    /// The message is of a topic that is not among the source's.
    #[error("This source does not take messages of this topic: it is not in `topics`")]
    TopicForeign,
    /// The source is called from web pages, and the request does not say from which.
    #[error("Missing Origin header: this endpoint is called from web pages")]
    OriginMissing,
    /// The page is on no list.
    #[error("Origin not allowed: this endpoint is not called from pages of this origin")]
    OriginForbidden,
    /// The signature is good, but was made longer ago than the source tolerates.
    #[error("Webhook timestamp is too old: it must be at most {tolerance_seconds} seconds old when received")]
    TimestampStale {
        /// The source's `past` tolerance, in seconds.
        tolerance_seconds: u64,
    },
    /// The signature is good, but from further in the future than the source tolerates.
    #[error(
        "Webhook timestamp is in the future: it must be at most {tolerance_seconds} seconds ahead; check the sender's clock"
    )]
    TimestampAhead {
        /// The source's `future` tolerance, in seconds.
        tolerance_seconds: u64,
    },
    /// The source takes JSON and this is none.
    #[error("Body is not valid JSON: {why}")]
    BodyNotJson {
        /// Where and what.
        why: String,
    },
    /// Valid JSON, but nested deeper than anyone needs.
    #[error("Body is nested too deeply: at most {limit} levels are allowed")]
    BodyTooDeep {
        /// The limit.
        limit: usize,
    },
    /// An array of more events than one request may bring.
    #[error("Too many events in one request: {count}, at most {limit} are allowed")]
    TooManyEvents {
        /// How many came.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A field of the body that the source cannot do without is absent, null or empty.
    #[error("Missing {pointer} in payload: the field is required and must not be empty")]
    FieldMissing {
        /// JSON pointer of the field.
        pointer: Cow<'static, str>,
    },
    /// The same, in the words that document B prescribes, which know no pointers.
    #[error("Missing {field} in payload")]
    FieldMissingPlainly {
        /// The field's name.
        field: String,
    },
    /// A field of the body is there but of no use.
    #[error("Invalid {pointer} in payload: {why}")]
    FieldWrong {
        /// JSON pointer of the field.
        pointer: Cow<'static, str>,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// A header (or query parameter) that the source cannot do without is absent or empty.
    #[error("Missing {place}")]
    PartMissing {
        /// Its name in words, e.g. `X-Platform-Event header`.
        place: String,
    },
    /// A header (or query parameter) is there but of no use.
    #[error("Invalid {place}: {why}")]
    PartWrong {
        /// Its name in words.
        place: String,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// The source lists its event types, and this is none of them.
    #[error("Unknown event type")]
    KindUnknown,
    /// Header and body (or path and body) name different event types.
    #[error("Event type mismatch: {place} and the payload disagree")]
    KindMismatch {
        /// The place that disagrees, in words.
        place: String,
    },
    /// The idempotency key cannot be one.
    #[error("Invalid {place}: {why}")]
    KeyInvalid {
        /// Where it was found, in words.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The sender asks whether this is the right place, and shows a token that is not this source's.
    #[error("Invalid verify token")]
    VerifyTokenWrong,
    /// The sender asks whether this is the right place, and the source has no token to compare its own with.
    #[error("This source has no verify token to compare the {place} with: set `verify_token`")]
    VerifyTokenUnset {
        /// Where the sender's token stands, in words.
        place: String,
    },
    /// What the sender wants echoed or signed is missing, too long or of the wrong form.
    #[error("Invalid {name} request: what is to be answered is missing, too long, or holds characters it must not")]
    ChallengeUnfit {
        /// The handshake.
        name: &'static str,
    },
    /// The source signs its public URL, and none is configured.
    #[error("The sender signs the public URL, and none is configured: set `public_url`")]
    PublicUrlUnknown,
}

impl Refused {
    /// A stable name for logs, metrics and the record of refused deliveries.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CredentialsMissing => "credentials_missing",
            Self::CredentialsMalformed { .. } => "credentials_malformed",
            Self::SignatureWrong => "signature_wrong",
            Self::TokenMissing => "token_missing",
            Self::TokenWrong => "token_wrong",
            Self::JwtMissing => "jwt_missing",
            Self::JwtWrong { .. } => "jwt_wrong",
            Self::KeysUnreachable => "keys_unreachable",
            Self::TenantForeign => "tenant_foreign",
            Self::TopicForeign => "topic_foreign",
            Self::OriginMissing => "origin_missing",
            Self::OriginForbidden => "origin_forbidden",
            Self::TimestampStale { .. } => "timestamp_stale",
            Self::TimestampAhead { .. } => "timestamp_ahead",
            Self::BodyNotJson { .. } => "body_not_json",
            Self::BodyTooDeep { .. } => "body_too_deep",
            Self::TooManyEvents { .. } => "too_many_events",
            Self::FieldMissing { .. } | Self::FieldMissingPlainly { .. } => "field_missing",
            Self::FieldWrong { .. } => "field_wrong",
            Self::PartMissing { .. } => "part_missing",
            Self::PartWrong { .. } => "part_wrong",
            Self::KindUnknown => "kind_unknown",
            Self::KindMismatch { .. } => "kind_mismatch",
            Self::KeyInvalid { .. } => "key_invalid",
            Self::VerifyTokenWrong => "verify_token_wrong",
            Self::VerifyTokenUnset { .. } => "verify_token_unset",
            Self::ChallengeUnfit { .. } => "challenge_unfit",
            Self::PublicUrlUnknown => "public_url_unknown",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::CredentialsMissing
            | Self::CredentialsMalformed { .. }
            | Self::SignatureWrong
            | Self::TokenMissing
            | Self::TokenWrong
            | Self::JwtMissing
            | Self::JwtWrong { .. }
            | Self::TimestampStale { .. }
            | Self::TimestampAhead { .. } => StatusCode::UNAUTHORIZED,
            Self::OriginMissing | Self::OriginForbidden | Self::VerifyTokenWrong | Self::VerifyTokenUnset { .. } => {
                StatusCode::FORBIDDEN
            }
            Self::BodyNotJson { .. }
            | Self::BodyTooDeep { .. }
            | Self::TooManyEvents { .. }
            | Self::FieldMissing { .. }
            | Self::FieldMissingPlainly { .. }
            | Self::FieldWrong { .. }
            | Self::PartMissing { .. }
            | Self::PartWrong { .. }
            | Self::KindUnknown
            | Self::KindMismatch { .. }
            | Self::KeyInvalid { .. }
            | Self::ChallengeUnfit { .. } => StatusCode::BAD_REQUEST,
            Self::TenantForeign | Self::TopicForeign => StatusCode::FORBIDDEN,
            Self::KeysUnreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::PublicUrlUnknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The text for `{"detail": …}`.
    pub fn detail(&self) -> String {
        self.to_string()
    }

    /// Whether this looks like an attack or a wrong secret, and counts against the client's address.
    pub fn is_authentication(&self) -> bool {
        self.status() == StatusCode::UNAUTHORIZED || *self == Self::VerifyTokenWrong
    }

    /// The same of an array's element, at this pointer: its fields' pointers start there.
    pub(super) fn within(self, place: &str) -> Self {
        match self {
            Self::FieldMissing { pointer } => Self::FieldMissing { pointer: format!("{place}{pointer}").into() },
            Self::FieldWrong { pointer, why } => Self::FieldWrong { pointer: format!("{place}{pointer}").into(), why },
            other => other,
        }
    }

    /// As a source whose contract fixes the words says it.
    pub(super) fn tersely(self) -> Self {
        match self {
            Self::CredentialsMalformed { .. } => Self::SignatureWrong,
            Self::FieldMissing { pointer } => {
                Self::FieldMissingPlainly { field: pointer.trim_start_matches('/').to_owned() }
            }
            other => other,
        }
    }

    /// Whether no credential was sent at all.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::CredentialsMissing | Self::TokenMissing | Self::JwtMissing)
    }

    pub(super) fn token(why: impl Into<Cow<'static, str>>) -> Self {
        Self::JwtWrong { why: why.into() }
    }

    pub(super) fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::CredentialsMalformed { why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_by_its_pointer_also_within_an_array() {
        let wrong = Refused::FieldWrong { pointer: "/data/score".into(), why: "it must be a number".into() };
        assert_eq!(wrong.within("/2").detail(), "Invalid /2/data/score in payload: it must be a number");
        let missing = Refused::FieldMissing { pointer: "/data/score".into() };
        let words = "Missing /data/score in payload: the field is required and must not be empty";
        assert_eq!(missing.detail(), words);
    }

    #[test]
    fn document_b_is_quoted_to_the_letter() {
        assert_eq!(Refused::CredentialsMissing.detail(), "Missing webhook signature");
        assert_eq!(Refused::SignatureWrong.detail(), "Invalid webhook signature");
        let campus = Refused::FieldMissing { pointer: "/campus_id".into() }.tersely();
        assert_eq!((campus.status().as_u16(), campus.detail().as_str()), (400, "Missing campus_id in payload"));
    }
}
