//! Values that must not be printed: passwords, signing secrets, tokens.
//!
//! Never reveals its value through `Debug` or `Display`; the caller has to ask with [`Secret::expose`], which is easy to
//! find in a review.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A secret string or byte value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into().into_boxed_slice())
    }

    /// The bytes themselves. Don't log, store or answer with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, where it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Compares in constant time for equal lengths.
    pub fn matches(&self, offered: &[u8]) -> bool {
        self.0.ct_eq(offered).into()
    }

    /// The first 8 hex digits of the value's SHA-256: enough for an operator to tell two secrets apart, of no use to a
    /// thief of the log.
    pub fn label(&self) -> String {
        hex::encode(Sha256::digest(&self.0).get(..4).unwrap_or_default())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(…)");
    }
}
