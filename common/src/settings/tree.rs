//! The settings as written: a tree of values, each of which remembers its place.
//!
//! TOML's syntax ends here; what a key means is asked by [`super::Reader`].

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Faults;

/// Where a value was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In the settings file: its name and the line (0: nowhere in particular).
    File(Arc<str>, usize),
    /// In an environment variable or a command-line option of this name.
    Outside(Arc<str>),
}

impl Place {
    /// The place of a key, as a mistake names it.
    pub(super) fn of(&self, path: &str) -> String {
        match self {
            Self::File(file, 0) => format!("{file} {path}"),
            Self::File(file, line) => format!("{file}:{line} {path}"),
            Self::Outside(name) => name.to_string(),
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What TOML can say; dates and floats stay text, because no setting is one.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// In quotes.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
    /// `[…]`, or the tables of `[[…]]`.
    List(Vec<Node>),
    /// `[…]` or `{…}`.
    Table(Section),
}

/// What the reading of a reference needs beside the tree: the environment, the file's folder and its privacy.
#[derive(Default)]
pub(super) struct Origin {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    /// Nobody but the owner can read the settings file, so secrets may stand in it literally.
    pub(super) private: bool,
}

impl fmt::Debug for Origin {
    /// Without the environment, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("folder", &self.folder).field("private", &self.private).finish_non_exhaustive()
    }
}

/// One table of the settings with everything written in it. Read it through [`Section::reader`].
#[derive(Clone)]
pub struct Section {
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) entries: Vec<(String, Node)>,
    pub(super) origin: Arc<Origin>,
}

impl fmt::Debug for Section {
    /// Keys only: a literal secret may stand among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.entries.iter().map(|(key, _)| key).collect();
        f.debug_struct("Section").field("path", &self.path).field("keys", &keys).finish_non_exhaustive()
    }
}

impl Section {
    /// An empty table at `path`.
    pub(super) fn empty(path: &str, place: Place, origin: &Arc<Origin>) -> Self {
        Self { path: path.to_owned(), place, entries: Vec::new(), origin: Arc::clone(origin) }
    }

    /// Parses a whole file. Every syntax error becomes a mistake; what could be read is kept.
    pub(super) fn parse(file: &Arc<str>, text: &str, origin: &Arc<Origin>, faults: &mut Faults) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let line = |offset: usize| text.get(..offset).map_or(0, |before| before.matches('\n').count() + 1);
        for error in errors {
            let at = error.span().map_or(0, |span| line(span.start));
            let there = error.span().and_then(|span| text.get(span)).filter(|there| !there.contains('\n'));
            let what = match (error.message(), there) {
                ("duplicate key", Some(key)) => format!("`{key}` stands here a second time"),
                (message, _) => message.to_owned(),
            };
            faults.push(Place::File(Arc::clone(file), at).of("").trim_end(), what);
        }
        let place = |offset: usize| Place::File(Arc::clone(file), line(offset));
        let mut root = Self::empty("", Place::File(Arc::clone(file), 0), origin);
        root.fill(table.get_ref(), &place);
        root
    }

    /// Parses one value written outside the file: `[…]` and `{…}` as TOML, everything else as text.
    pub(super) fn outside(path: &str, text: &str, place: &Place, origin: &Arc<Origin>) -> Node {
        let parsed = match text.trim_start().as_bytes().first() {
            Some(b'[' | b'{') => DeValue::parse(text).ok(),
            _ => None,
        };
        match parsed {
            Some(value) => node(path, &value, &|_| place.clone(), origin),
            None => Node { value: Value::Text(text.to_owned()), place: place.clone() },
        }
    }

    /// Puts `node` under a dotted key, making the tables on the way.
    pub(super) fn set(&mut self, key: &str, node: Node) {
        let Some((head, rest)) = key.split_once('.') else {
            self.entries.retain(|(name, _)| name != key);
            self.entries.push((key.to_owned(), node));
            return;
        };
        let path = self.path_of(head);
        let index = self.entries.iter().position(|(name, node)| name == head && matches!(node.value, Value::Table(_)));
        let index = index.unwrap_or_else(|| {
            let table = Self::empty(&path, node.place.clone(), &self.origin);
            self.entries.retain(|(name, _)| name != head);
            self.entries.push((head.to_owned(), Node { value: Value::Table(table), place: node.place.clone() }));
            self.entries.len() - 1
        });
        if let Some((_, Node { value: Value::Table(table), .. })) = self.entries.get_mut(index) {
            table.set(rest, node);
        }
    }

    /// Gives it, and the tables within it, another name for mistakes.
    pub(super) fn rename(&mut self, path: &str) {
        fn within(node: &mut Node, path: &str) {
            match &mut node.value {
                Value::Table(table) => table.rename(path),
                Value::List(items) => items.iter_mut().for_each(|item| within(item, path)),
                Value::Text(_) | Value::Integer(_) | Value::Flag(_) => {}
            }
        }
        self.path = path.to_owned();
        for (key, node) in &mut self.entries {
            within(node, &format!("{path}.{key}"));
        }
    }

    /// What is written under `key`.
    pub(super) fn find(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The full name of one of its keys.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The place of a dotted key, whether or not it is written.
    pub(super) fn at_key(&self, key: &str) -> String {
        let mut section = self;
        let mut rest = key;
        while let Some((head, tail)) = rest.split_once('.') {
            match section.find(head) {
                Some(Node { value: Value::Table(table), .. }) => section = table,
                _ => return Place::of(&self.place, key),
            }
            rest = tail;
        }
        section.find(rest).map_or(&section.place, |node| &node.place).of(key)
    }

    /// Whether `key` is written here at all.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Whether `key` is written here and is this text.
    pub(super) fn is_text(&self, key: &str, text: &str) -> bool {
        matches!(self.find(key), Some(Node { value: Value::Text(written), .. }) if written == text)
    }

    /// The section's name: `gateway`, `source[github]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the section stands, for a mistake that concerns it as a whole.
    pub fn at(&self) -> String {
        self.place.of(&self.path)
    }

    fn fill(&mut self, table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) {
        for (key, value) in table.iter() {
            let name = key.get_ref().to_string();
            let mut node = node(&self.path_of(&name), value, place, &self.origin);
            node.place = place(key.span().start);
            self.entries.push((name, node));
        }
    }
}

fn node(path: &str, value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place, origin: &Arc<Origin>) -> Node {
    let here = place(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Text(number.to_string()),
        },
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(path, item, place, origin)).collect()),
        DeValue::Table(table) => {
            let mut section = Section::empty(path, here.clone(), origin);
            section.fill(table, place);
            Value::Table(section)
        }
    };
    Node { value, place: here }
}
