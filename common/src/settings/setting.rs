//! A declared setting: its key, its default and what it means, in one place.
//!
//! The reader takes defaults from here, and the documentation is checked against [`super::reference`], so the two
//! cannot disagree.

use super::value::Readable;

/// A setting as declared beside the section that reads it.
#[derive(Debug)]
pub struct Setting<T> {
    pub(super) key: &'static str,
    pub(super) default: fn() -> T,
    pub(super) meaning: &'static str,
}

/// A setting as documented.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its full name, `gateway.max_body`; its environment variable is `LYCHGATE_GATEWAY__MAX_BODY`.
    pub name: String,
    /// Its default as it would be written; `unset` where there is none.
    pub default: String,
    /// What it does and why the default is what it is.
    pub meaning: &'static str,
}

impl Row {
    /// The environment variable that overrides it.
    pub fn variable(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.name.to_uppercase().replace('.', "__"))
    }
}

impl<T: Readable> Setting<T> {
    /// Declares one.
    pub(super) const fn new(key: &'static str, default: fn() -> T, meaning: &'static str) -> Self {
        Self { key, default, meaning }
    }

    /// Its line in the reference.
    pub(super) fn row(&self, section: &str) -> Row {
        Row { name: format!("{section}.{}", self.key), default: (self.default)().show(), meaning: self.meaning }
    }
}
