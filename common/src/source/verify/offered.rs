//! Taking a signature's value apart: `sha256=…`, `t=…,v1=…,v1=…`, `v1,… v1a,…`, and its encoding.
//!
//! Knows only form; whether a signature is good is decided beside.

use std::borrow::Cow;

use base64::Engine as _;

use super::super::{
    key::{BASE64, BASE64_URL, BASE64_URL_BARE},
    refused::Refused,
};

/// How many signatures one request may offer: an honest sender in mid-rotation sends two or three.
pub(super) const SIGNATURE_LIMIT: usize = 16;

/// How signature bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hex, in either case.
    Hex,
    /// Hex in lower case only, where the contract says so.
    LowerHex,
    /// Base64, padded or not.
    Base64,
    /// URL-safe base64, padded or not.
    Base64Url,
}

impl Encoding {
    /// The bytes; `None` if this encoding cannot have written them.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::LowerHex => (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then(|| hex::decode(text).ok())?,
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64Url => BASE64_URL.decode(text).ok(),
        }
    }

    /// Writes bytes.
    pub(in super::super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex | Self::LowerHex => hex::encode(bytes),
            Self::Base64 => BASE64.encode(bytes),
            // Who writes it so leaves the padding out.
            Self::Base64Url => BASE64_URL_BARE.encode(bytes),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::LowerHex => "lower-case hex",
            Self::Base64 => "base64",
            Self::Base64Url => "URL-safe base64",
        }
    }
}

/// How the signature's value is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// The encoded signature alone.
    Bare,
    /// After a prefix, e.g. `sha256=`.
    Prefix {
        /// The prefix.
        prefix: Cow<'static, str>,
        /// Senders that leave it out are understood too.
        optional: bool,
    },
    /// Labelled values: `t=1,v1=ab` has `,` between and `=` within; `v1,ab v1a,cd` has a blank between and `,` within.
    Pairs {
        /// Between two pairs.
        between: char,
        /// Between a label and its value.
        within: char,
    },
}

/// A signature's value, taken apart but not decoded.
pub(super) struct Parts<'t> {
    pairs: Vec<(Option<&'t str>, &'t str)>,
}

impl SignatureForm {
    /// Takes the value apart.
    pub(super) fn split<'t>(&self, text: &'t str) -> Result<Parts<'t>, Refused> {
        let pairs = match self {
            Self::Bare => vec![(None, text)],
            Self::Prefix { prefix, optional } => match text.strip_prefix(&**prefix) {
                Some(rest) => vec![(None, rest)],
                None if *optional => vec![(None, text)],
                None => return Err(Refused::malformed(format!("it must start with `{prefix}`"))),
            },
            Self::Pairs { between, within } => text
                .split(*between)
                .filter_map(|pair| pair.trim().split_once(*within))
                .map(|(label, value)| (Some(label.trim()), value.trim()))
                .collect(),
        };
        Ok(Parts { pairs })
    }
}

impl<'t> Parts<'t> {
    /// The one value under a label that is no signature, such as `t`.
    pub(super) fn one(&self, label: &str) -> Result<&'t str, Refused> {
        let mut values = self.pairs.iter().filter(|(found, _)| *found == Some(label)).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(Refused::malformed(format!("`{label}` is missing"))),
            (Some(_), Some(_)) => Err(Refused::malformed(format!("`{label}` stands in it more than once"))),
        }
    }

    /// The signatures under the labels that `wanted` knows, decoded; unknown labels are skipped, because senders add
    /// schemes. At least one.
    pub(super) fn signatures<A>(
        &self,
        encoding: Encoding,
        wanted: impl Fn(Option<&str>) -> Option<A>,
    ) -> Result<Vec<(A, Vec<u8>)>, Refused> {
        let known: Vec<_> = self.pairs.iter().filter_map(|(label, text)| Some((wanted(*label)?, *text))).collect();
        if known.is_empty() {
            return Err(Refused::malformed("it holds no signature of a kind that this source takes"));
        }
        if known.len() > SIGNATURE_LIMIT {
            return Err(Refused::malformed(format!("it holds more than {SIGNATURE_LIMIT} signatures")));
        }
        let decoded: Vec<_> =
            known.into_iter().filter_map(|(accepted, text)| Some((accepted, encoding.decode(text)?))).collect();
        if decoded.is_empty() {
            return Err(Refused::malformed(format!("it is not {}", encoding.words())));
        }
        Ok(decoded)
    }
}
