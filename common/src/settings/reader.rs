//! Reads one section key by key, notes every mistake, and at the end everything that nobody asked for.
//!
//! A reader never stops at the first mistake: a wrong value counts as absent and the reading goes on.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    Faults,
    tree::{Node, Section, Value},
    value::{Context, Readable},
};
use crate::secret::Secret;

/// Reads a [`Section`]. Call [`Reader::finish`] at the end, or unknown keys go unnoticed.
#[derive(Debug)]
#[must_use = "unknown keys are found by `finish`"]
pub struct Reader<'a> {
    section: &'a Section,
    faults: &'a mut Faults,
    asked: Vec<String>,
    shown: Vec<Shown>,
}

/// A setting in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its full name, `gateway.max_body`.
    pub name: String,
    /// Its value, secrets redacted.
    pub value: String,
    /// Whether it is the default.
    pub default: bool,
}

impl Section {
    /// Starts to read it; mistakes go to `faults`.
    pub fn reader<'a>(&'a self, faults: &'a mut Faults) -> Reader<'a> {
        Reader { section: self, faults, asked: Vec::new(), shown: Vec::new() }
    }
}

impl<'a> Reader<'a> {
    /// A value of any readable type; `None` where the key is absent or wrong (which is noted).
    pub fn get<T: Readable>(&mut self, key: &str) -> Option<T> {
        let node = self.node(key)?;
        self.parse(key, node)
    }

    /// As [`Reader::get`], within bounds.
    pub fn within<T: Readable + PartialOrd>(&mut self, key: &str, bounds: RangeInclusive<T>) -> Option<T> {
        let value: T = self.get(key)?;
        if bounds.contains(&value) {
            return Some(value);
        }
        let (low, high) = (bounds.start().show(), bounds.end().show());
        self.fault(key, format!("must be from {low} to {high}, not {}", value.show()));
        None
    }

    /// Whether a key is written here, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.section.has(key)
    }

    /// A text that must be there and not be empty; where it is not, the mistake says `why` it is needed.
    pub fn required_text(&mut self, key: &str, why: &str) -> Option<String> {
        if !self.section.has(key) {
            self.asked.push(key.to_owned());
            self.fault(key, format!("is missing: {why}"));
            return None;
        }
        let text = self.text(key)?;
        if text.is_empty() {
            self.fault(key, format!("is empty: {why}"));
            return None;
        }
        Some(text)
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.get(key)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.get(key)
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.within(key, bounds)
    }

    /// A duration with its unit: `"250ms"`, `"15s"`, `"5m"`, `"1h"`, `"14d"`.
    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.get(key)
    }

    /// A size with its unit, in bytes: `"512B"`, `"64KiB"`, `"1MiB"`.
    pub fn size(&mut self, key: &str) -> Option<usize> {
        self.get::<super::ByteSize>(key).map(super::ByteSize::bytes)
    }

    /// A list of texts; a single text counts as a list of one.
    pub fn list(&mut self, key: &str) -> Option<Vec<String>> {
        self.get(key)
    }

    /// A secret by reference (`env:NAME`, `file:PATH`), or literally in a file that nobody else can read.
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        self.get(key)
    }

    /// Secrets, as [`Reader::secret`]; a single one counts as a list of one.
    pub fn secrets(&mut self, key: &str) -> Option<Vec<Secret>> {
        self.get(key)
    }

    /// A rate limit: `{ requests, per, burst, on_limit }` or `"off"`.
    pub fn rate(&mut self, key: &str) -> Option<super::RateLimit> {
        self.get(key)
    }

    /// One of a closed set of words.
    pub fn one_of<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.fault(key, format!("must be one of {}, not \"{text}\"", all.join(", ")));
        }
        found
    }

    /// A table within this one.
    pub fn section(&mut self, key: &str) -> Option<&'a Section> {
        match self.node(key)? {
            Node { value: Value::Table(section), .. } => Some(section),
            _ => {
                self.fault(key, "must be a table: { … }");
                None
            }
        }
    }

    /// A list of tables within this one (`[[key]]`); empty where there is none.
    pub fn sections(&mut self, key: &str) -> Vec<&'a Section> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.fault(key, format!("must be a list of tables: write it as [[{}]]", self.section.path_of(key)));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(section) => tables.push(section),
                _ => self.faults.push(item.place.of(&self.section.path_of(key)), "must be a table: { … }"),
            }
        }
        tables
    }

    /// A declared setting: what is written, else its default.
    pub(super) fn setting<T: Readable>(&mut self, key: &str, default: fn() -> T) -> T {
        let written = self.get(key);
        self.settle(key, written, default)
    }

    /// As [`Reader::setting`], within bounds.
    pub(super) fn setting_within<T: Readable + PartialOrd>(
        &mut self,
        key: &str,
        default: fn() -> T,
        bounds: RangeInclusive<T>,
    ) -> T {
        let written = self.within(key, bounds);
        self.settle(key, written, default)
    }

    /// Notes a mistake of a key, at the key's own line where it is written.
    pub fn fault(&mut self, key: &str, what: impl Into<String>) {
        self.faults.push(self.at(key), what);
    }

    /// Adds the mistakes that were found in a table within this one.
    pub fn absorb(&mut self, faults: Faults) {
        self.faults.extend(faults);
    }

    /// The place of a key, for mistakes found later.
    pub fn at(&self, key: &str) -> String {
        let place = self.section.find(key).map_or(&self.section.place, |node| &node.place);
        place.of(&self.section.path_of(key))
    }

    /// All keys that are written here and were not asked for yet: for sections with free keys.
    pub fn rest(&mut self) -> Vec<(String, String)> {
        let free: Vec<_> =
            self.section.entries.iter().map(|(key, _)| key.clone()).filter(|key| !self.asked.contains(key)).collect();
        free.into_iter().filter_map(|key| self.text(&key).map(|value| (key, value))).collect()
    }

    /// Ends the reading: every key that nobody asked for is a mistake. Returns the declared settings in force.
    pub fn finish(self) -> Vec<Shown> {
        for (key, node) in &self.section.entries {
            if self.asked.contains(key) {
                continue;
            }
            let near = self.asked.iter().find(|known| is_near(known, key));
            let hint = match near {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.faults.push(node.place.of(&self.section.path_of(key)), format!("is no setting; {hint}"));
        }
        self.shown
    }

    fn node(&mut self, key: &str) -> Option<&'a Node> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_owned());
        }
        self.section.find(key)
    }

    fn parse<T: Readable>(&mut self, key: &str, node: &Node) -> Option<T> {
        let path = self.section.path_of(key);
        T::read(node, &mut Context { path: &path, origin: &self.section.origin, faults: self.faults })
    }

    fn settle<T: Readable>(&mut self, key: &str, written: Option<T>, default: fn() -> T) -> T {
        let is_default = written.is_none();
        let value = written.unwrap_or_else(default);
        self.shown.push(Shown { name: self.section.path_of(key), value: value.show(), default: is_default });
        value
    }
}

/// Whether two keys differ by at most two letters added, dropped or exchanged, so that one may be a slip of the other.
fn is_near(known: &str, written: &str) -> bool {
    let mut row: Vec<usize> = (0..=known.chars().count()).collect();
    for (i, b) in written.chars().enumerate() {
        let mut corner = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (cell, a) in row.iter_mut().skip(1).zip(known.chars()) {
            let cost = corner + usize::from(a != b);
            corner = *cell;
            *cell = cost.min(corner + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().is_some_and(|distance| *distance <= 2 && *distance < known.len())
}
