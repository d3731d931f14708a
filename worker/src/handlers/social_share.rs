//! Social sharing (document E): what a visitor shared, and where, in one form whatever the platform.
//!
//! Called from browsers, so nothing is believed further than that somebody said it: texts are cut, and all of it becomes
//! one row of analytics. The platform is what the field says, else where the visitor came from, else whose share URL it is.

mod detect;

use futures_util::future::BoxFuture;
use lychgate_common::{
    change::{Change, Table},
    event::Event,
    row,
};
use serde_json::{Map, Value};

use super::fields::{self, Fields};
use crate::handler::{Failure, Handled, Handler};

/// Measurements.
pub static ANALYTICS: Table = Table {
    name: "analytics_record",
    key: &["id"],
    columns: &["source", "metric_type", "dimensions", "value", "recorded_at"],
};

/// Longest text of a dimension, in characters: longer ones are nobody's address or name.
const TEXT_LIMIT: usize = 500;

/// Most entries of `metadata` that are kept.
const METADATA_LIMIT: usize = 20;

/// Dimensions, and the fields that they are called by senders; the first that is there counts.
const DIMENSIONS: [(&str, &[&str]); 8] = [
    ("url", &["url", "shared_url", "page_url"]),
    ("content_type", &["content_type", "contentType", "type"]),
    ("content_id", &["content_id", "contentId", "product_id", "productId"]),
    ("title", &["title"]),
    ("user_id", &["user_id", "userId"]),
    ("session_id", &["session_id", "sessionId"]),
    ("campaign", &["campaign", "utm_campaign"]),
    ("referrer", &["referrer", "referer"]),
];

/// The handler of the preset `social-share`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocialShare;

impl Handler for SocialShare {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(std::future::ready(changes(event)))
    }
}

fn changes(event: &Event) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    let share = Fields::root(&payload)?;
    let text = |names: &[&str]| -> Result<Option<String>, Failure> {
        for name in names {
            if let Some(text) = share.optional_text(name)?.filter(|text| !text.trim().is_empty()) {
                return Ok(Some(text.trim().chars().take(TEXT_LIMIT).collect()));
            }
        }
        Ok(None)
    };
    let mut dimensions = Map::new();
    let named = text(&["platform", "network", "social_platform", "socialPlatform"])?;
    let (referrer, url) = (text(&["referrer", "referer"])?, text(&["share_url", "shareUrl"])?);
    let found = detect::platform(named.as_deref(), referrer.as_deref(), url.as_deref());
    dimensions.insert("platform".to_owned(), found.platform.into());
    dimensions.insert("detected_by".to_owned(), found.by.into());
    for (dimension, names) in DIMENSIONS {
        if let Some(text) = text(names)? {
            dimensions.insert(dimension.to_owned(), text.into());
        }
    }
    if let Some(Value::Object(metadata)) = share.value("metadata") {
        dimensions.insert("metadata".to_owned(), Value::Object(plain(metadata)));
    }
    let row = row! {
        "id" => event.id,
        "source" => *event.source,
        "metric_type" => "social_share",
        "dimensions" => dimensions,
        "value" => 1,
        "recorded_at" => event.effective_at(),
    };
    Ok(Handled::changes(vec![Change::append(&ANALYTICS, row)]))
}

/// The plain values of an object, few and short: anybody may send this.
fn plain(metadata: &Map<String, Value>) -> Map<String, Value> {
    let short = |text: &str| -> String { text.chars().filter(|c| *c != '\0').take(TEXT_LIMIT).collect() };
    let kept = metadata.iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((short(name), short(text).into())),
        Value::Bool(_) | Value::Number(_) => Some((short(name), value.clone())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    });
    kept.take(METADATA_LIMIT).collect()
}

#[cfg(test)]
mod tests;
