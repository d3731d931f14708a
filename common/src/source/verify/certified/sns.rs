//! Amazon SNS: the fields that are signed stand in the body, each with its name, joined by line feeds; version 1 is
//! RSA-SHA1, version 2 RSA-SHA256.
//!
//! A field that stands twice is refused, and only the message may hold a line feed, so that one signed text is one
//! message.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::{
    super::super::{certificate::RsaDigest, reading::Reading, refused::Refused},
    Claim, decoded,
};

const CONFIRMATION: &str = "SubscriptionConfirmation";
const END: &str = "UnsubscribeConfirmation";

/// What becomes of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// A topic of ours wants to send here: an address that is to be visited.
    Asked {
        /// The topic's ARN.
        topic: String,
        /// Visiting it confirms.
        confirm: Url,
    },
    /// A topic no longer sends here.
    Ended {
        /// The topic's ARN.
        topic: String,
    },
}

/// A message, as far as it is signed; the derived reader refuses a field that stands twice.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message: String,
    message_id: String,
    signature: String,
    signature_version: String,
    #[serde(rename = "SigningCertURL")]
    certificate: String,
    subject: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe: Option<String>,
    timestamp: String,
    token: Option<String>,
    topic_arn: String,
    #[serde(rename = "Type")]
    kind: String,
}

impl Message {
    fn read(reading: &Reading<'_>) -> Result<Self, Refused> {
        let message: Self = serde_json::from_slice(reading.body())
            .map_err(|fault| Refused::malformed(format!("the body is no message of SNS: {fault}")))?;
        match message.fields(true).iter().skip(1).any(|(_, value)| value.contains('\n')) {
            true => Err(Refused::malformed("only the message itself may hold line feeds")),
            false => Ok(message),
        }
    }

    /// What is signed, in its order.
    fn fields(&self, with_token: bool) -> Vec<(&'static str, &str)> {
        let all = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref()),
            ("SubscribeURL", self.subscribe.as_ref()),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| with_token)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?.as_str()))).collect()
    }

    fn signed(&self, with_token: bool) -> Vec<u8> {
        self.fields(with_token).iter().flat_map(|(name, value)| [name, "\n", value, "\n"]).collect::<String>().into()
    }
}

pub(super) fn claim(
    reading: &Reading<'_>,
    certificate: impl FnOnce(&str) -> Result<Url, Refused>,
) -> Result<Claim, Refused> {
    let message = Message::read(reading)?;
    let digest = match message.signature_version.as_str() {
        "1" => RsaDigest::Sha1,
        "2" => RsaDigest::Sha256,
        _ => return Err(Refused::malformed("its version must be 1 or 2")),
    };
    let mut signed = vec![message.signed(true)];
    // Of the end of a subscription the documentation signs the token; SNS' library for Node does not.
    if message.kind == END {
        signed.push(message.signed(false));
    }
    Ok(Claim {
        certificate: certificate(&message.certificate)?,
        digest,
        signature: decoded(&message.signature)?,
        signed,
        time: message.timestamp,
    })
}

/// Whether a message that AWS vouches for is meant for us.
pub(super) fn hold(
    reading: &Reading<'_>,
    topics: &[Arc<str>],
    is_theirs: impl Fn(&Url) -> bool,
) -> Result<(), Refused> {
    let message = Message::read(reading)?;
    if !topics.iter().any(|topic| **topic == *message.topic_arn) {
        return Err(Refused::TopicForeign);
    }
    if message.kind == CONFIRMATION && confirmation(&message, is_theirs).is_none() {
        let why = "it must be an https address on sns.REGION.amazonaws.com".into();
        return Err(Refused::FieldWrong { pointer: "/SubscribeURL".into(), why });
    }
    Ok(())
}

pub(super) fn subscription(reading: &Reading<'_>, is_theirs: impl Fn(&Url) -> bool) -> Option<Subscription> {
    let message = Message::read(reading).ok()?;
    match message.kind.as_str() {
        CONFIRMATION => {
            let confirm = confirmation(&message, is_theirs)?;
            Some(Subscription::Asked { topic: message.topic_arn, confirm })
        }
        END => Some(Subscription::Ended { topic: message.topic_arn }),
        _ => None,
    }
}

fn confirmation(message: &Message, is_theirs: impl Fn(&Url) -> bool) -> Option<Url> {
    message.subscribe.as_deref().and_then(|text| Url::parse(text).ok()).filter(is_theirs)
}

/// `sns.REGION.amazonaws.com`, in China with `.cn`. Held more tightly than in SNS' library for Node: a region is words
/// and a number, because `sns.s3-REGION.amazonaws.com` is somebody's bucket called `sns`.
pub(super) fn is_host(host: &str) -> bool {
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let words = |text: &str| text.split('-').all(|word| word.len() > 1 && word.bytes().all(|c| c.is_ascii_lowercase()));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    region.and_then(|region| region.rsplit_once('-')).is_some_and(|(name, nth)| words(name) && number(nth))
}
