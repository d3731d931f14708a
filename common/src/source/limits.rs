//! What a source allows: how many requests, how large, of which content type, and what a second body under one key means.
//!
//! Only the figures; who counts is the gateway.

use std::time::Duration;

use hyper::header::HeaderValue;

/// Largest body where a preset says nothing else: four times what the largest of the five systems' documents shows.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// How many requests a source may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many requests …
    pub requests: u32,
    /// … in this time.
    pub per: Duration,
    /// How many may come at once.
    pub burst: u32,
    /// What happens to those above.
    pub on_limit: OnLimit,
}

impl RateLimit {
    /// So many a minute, at most a tenth of them at once.
    pub(super) const fn per_minute(requests: u32) -> Self {
        let tenth = requests / 10;
        let burst = if tenth == 0 { 1 } else { tenth };
        Self { requests, per: Duration::from_secs(60), burst, on_limit: OnLimit::Reject }
    }
}

/// What happens to a request above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// 429 with `Retry-After`.
    Reject,
    /// Accepted now, processed when the limit resets.
    Defer,
}

/// What a second, different body under a known key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// A mistake or an attack: 422 and a security event.
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
    /// JSON, or one of these.
    JsonOr(&'static [&'static str]),
}

impl ContentTypes {
    /// Whether a request with this `Content-Type` may come in. One without any may: the body is checked all the same.
    pub fn accept(&self, content_type: Option<&HeaderValue>) -> bool {
        let Some(content_type) = content_type else { return true };
        let Ok(text) = content_type.to_str() else { return *self == Self::Any };
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let json = essence == "application/json" || essence.ends_with("+json");
        match self {
            Self::Any => true,
            Self::Json => json,
            Self::JsonOr(others) => json || others.contains(&essence.as_str()),
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
