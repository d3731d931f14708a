//! What a source takes: how large a body, of which content type, and what a second body under one key means.
//!
//! Only the rules; the gateway enforces them.

use std::fmt;

use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};

use super::reply::JSON;

/// Largest body where a preset says nothing else: four times what the largest of the five systems' documents shows.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// What a second, different body under a known key means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// A mistake or an attack: 422 and a security event.
    #[default]
    Reject,
    /// The sender writes its retries anew: answered like the first.
    Replay,
    /// The key says nothing: an event of its own.
    NewEvent,
}

/// Which content types a source takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentTypes {
    /// Whatever comes.
    Any,
    /// `application/json` and everything that ends in `+json`.
    Json,
    /// One of these.
    Only(&'static [&'static str]),
}

impl ContentTypes {
    /// Whether a request with this `Content-Type` may come in. One without any may: the body is checked all the same.
    pub fn accept(&self, content_type: Option<&HeaderValue>) -> bool {
        let Some(content_type) = content_type else { return true };
        let Ok(text) = content_type.to_str() else { return *self == Self::Any };
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let json = essence == JSON || essence.ends_with("+json");
        match self {
            Self::Any => true,
            Self::Json => json,
            Self::Only(these) => these.contains(&essence.as_str()),
        }
    }
}

impl fmt::Display for ContentTypes {
    /// The list for a sender whose type was refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any content type"),
            Self::Json => f.write_str(JSON),
            Self::Only(these) => f.write_str(&these.join(" or ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_under_its_several_names() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert!(ContentTypes::Json.accept(Some(&HeaderValue::from_static(good))), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; x=+json", ""] {
            assert!(!ContentTypes::Json.accept(Some(&HeaderValue::from_static(bad))), "{bad}");
        }
    }
}
