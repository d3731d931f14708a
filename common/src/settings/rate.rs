//! Rate limits as they are written: `{ requests = 1000, per = "1m", burst = 100, on_limit = "reject" }` or `"off"`.
//!
//! Only the numbers; the gateway counts.

use std::time::Duration;

use super::{
    tree::{Node, Value},
    value::{Context, Readable, show_duration},
};

/// A rate limit or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RateLimit {
    /// `"off"`.
    Off,
    /// At most so much.
    On(Rate),
}

/// So many requests in so long a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many, at least 1.
    pub requests: u32,
    /// In how long, at least 1 ms.
    pub per: Duration,
    /// How many may come at once after a quiet time; `requests` unless written.
    pub burst: u32,
    /// What becomes of one too many.
    pub on_limit: OnLimit,
}

/// What becomes of a request over the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnLimit {
    /// Answered 429 with `Retry-After`; nothing is stored.
    Reject,
    /// Accepted, and processed when the limit allows.
    Defer,
}

impl OnLimit {
    /// As written in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Defer => "defer",
        }
    }
}

impl RateLimit {
    /// `requests` per `per`, refused beyond.
    pub const fn rejecting(requests: u32, per: Duration, burst: u32) -> Self {
        Self::On(Rate { requests, per, burst, on_limit: OnLimit::Reject })
    }
}

impl Readable for RateLimit {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let section = match &node.value {
            Value::Text(text) if text == "off" => return Some(Self::Off),
            Value::Table(section) => section,
            Value::Text(_) | Value::Integer(_) | Value::Flag(_) | Value::List(_) => {
                return cx.wrong(node, "must be { requests = 1000, per = \"1m\" } or \"off\"");
            }
        };
        let mut reader = section.reader(cx.faults);
        for key in ["requests", "per"] {
            if !section.has(key) {
                reader.fault(key, "is missing: a rate is { requests = 1000, per = \"1m\" }");
            }
        }
        let requests = reader.within("requests", 1..=u32::MAX);
        let per = reader.within("per", Duration::from_millis(1)..=Duration::from_secs(86_400));
        let burst = reader.within("burst", 1..=u32::MAX);
        let on_limit = reader.one_of("on_limit", &[("reject", OnLimit::Reject), ("defer", OnLimit::Defer)]);
        reader.finish();
        let (requests, per) = (requests?, per?);
        Some(Self::On(Rate {
            requests,
            per,
            burst: burst.unwrap_or(requests),
            on_limit: on_limit.unwrap_or(OnLimit::Reject),
        }))
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "\"off\"".to_owned(),
            Self::On(rate) => format!(
                "{{ requests = {}, per = \"{}\", burst = {}, on_limit = \"{}\" }}",
                rate.requests,
                show_duration(rate.per),
                rate.burst,
                rate.on_limit.name()
            ),
        }
    }
}
