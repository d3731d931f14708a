//! How each type of setting is written and shown.
//!
//! Units are part of the text (`"15s"`, `"1MiB"`): a bare number where a unit belongs is a mistake, not a guess.
//! Values that came from the environment are text; numbers and flags accept their text for that reason.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use ipnet::IpNet;
use url::Url;

use super::{
    Faults,
    tree::{Node, Origin, Value},
};

/// What a value's reading needs: its full name, its surroundings, and where mistakes go.
#[derive(Debug)]
pub struct Context<'a> {
    pub(super) path: &'a str,
    pub(super) origin: &'a Arc<Origin>,
    pub(super) faults: &'a mut Faults,
}

impl Context<'_> {
    /// Notes what is wrong with `node` and goes on without it.
    pub(super) fn wrong<T>(&mut self, node: &Node, what: impl Into<String>) -> Option<T> {
        self.faults.push(node.place.of(self.path), what);
        None
    }
}

/// A type that a setting can have.
pub trait Readable: Sized {
    /// Reads a written value; a mistake is noted and `None` returned.
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self>;
    /// As it would be written; secrets redacted.
    fn show(&self) -> String;
}

/// A value's text, where it is one.
pub(super) fn text<'n>(node: &'n Node, cx: &mut Context<'_>, expected: &str) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text),
        Value::Integer(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) => {
            cx.wrong(node, format!("must be {expected}, as text in quotes"))
        }
    }
}

/// Makes [`Readable`] of a type from its text.
macro_rules! readable_text {
    ($type:ty, $expected:expr, $parse:expr, $show:expr) => {
        impl $crate::settings::value::Readable for $type {
            fn read(
                node: &$crate::settings::tree::Node,
                cx: &mut $crate::settings::value::Context<'_>,
            ) -> Option<Self> {
                let text = $crate::settings::value::text(node, cx, $expected)?;
                let parse: fn(&str) -> Option<$type> = $parse;
                match parse(text) {
                    Some(value) => Some(value),
                    None => cx.wrong(node, format!("must be {}, not \"{text}\"", $expected)),
                }
            }

            fn show(&self) -> String {
                let show: fn(&$type) -> String = $show;
                show(self)
            }
        }
    };
}
pub(super) use readable_text;

macro_rules! readable_number {
    ($($type:ty),*) => {$(
        impl Readable for $type {
            fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
                let number = match &node.value {
                    Value::Integer(number) => <$type>::try_from(*number).ok(),
                    Value::Text(text) => text.trim().parse().ok(),
                    Value::Flag(_) | Value::List(_) | Value::Table(_) => None,
                };
                match number {
                    Some(number) => Some(number),
                    None => cx.wrong(node, format!("must be a whole number from {} to {}", <$type>::MIN, <$type>::MAX)),
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

readable_number!(u8, u16, u32, u64, usize);
readable_text!(PathBuf, "a path", |text| (!text.is_empty()).then(|| text.into()), |it| format!("\"{}\"", it.display()));
readable_text!(String, "text", |text| Some(text.to_owned()), |text| format!("\"{text}\""));
readable_text!(
    Duration,
    "a duration with its unit, like \"250ms\", \"15s\", \"5m\", \"1h\", \"14d\"",
    duration,
    |it| { format!("\"{}\"", show_duration(*it)) }
);
readable_text!(ByteSize, "a size with its unit, like \"512B\", \"64KiB\", \"1MiB\"", ByteSize::parse, ByteSize::show);
readable_text!(
    SocketAddr,
    "an address with its port, like \"127.0.0.1:8080\" (port 0 picks a free one)",
    |text| text.parse().ok(),
    |it| format!("\"{it}\"")
);
readable_text!(
    IpNet,
    "a network or an address, like \"10.0.0.0/8\" or \"192.0.2.7\"",
    |text| text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| address.into())),
    |it| format!("\"{it}\"")
);
readable_text!(
    Url,
    "an http:// or https:// address",
    |text| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()),
    |it| format!("\"{it}\"")
);
readable_text!(jiff::civil::Time, "a time of day, like \"03:00\"", |text| text.parse().ok(), |it| format!(
    "\"{:02}:{:02}\"",
    it.hour(),
    it.minute()
));

impl Readable for bool {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Text(text) if text == "true" => Some(true),
            Value::Text(text) if text == "false" => Some(false),
            Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Table(_) => {
                cx.wrong(node, "must be true or false")
            }
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl<T: Readable> Readable for Option<T> {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::read(node, cx).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "unset".to_owned(), T::show)
    }
}

impl<T: Readable> Readable for Vec<T> {
    /// Every item is read, so that every wrong one is reported; a single value counts as a list of one.
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::List(items) => {
                let read: Vec<_> = items.iter().map(|item| T::read(item, cx)).collect();
                read.into_iter().collect()
            }
            Value::Text(text) if text.is_empty() => Some(Self::new()),
            Value::Text(_) | Value::Integer(_) | Value::Flag(_) | Value::Table(_) => {
                T::read(node, cx).map(|only| vec![only])
            }
        }
    }

    fn show(&self) -> String {
        let items: Vec<_> = self.iter().map(T::show).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(usize);

impl ByteSize {
    /// A number of bytes.
    pub const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// Binary units, largest first.
    const UNITS: [(&'static str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    fn parse(text: &str) -> Option<Self> {
        let (unit, factor) = Self::UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
        let number: usize = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*factor).map(Self)
    }

    fn show(&self) -> String {
        let fits = |(_, factor): &&(&str, usize)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let (unit, factor) = Self::UNITS.iter().find(fits).unwrap_or(&("B", 1));
        format!("\"{}{unit}\"", self.0 / factor)
    }
}

/// Units of time, longest first, in milliseconds.
const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// `1h30m` and the like: whole numbers, each with its unit, no longer than ten years.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, factor) = SPANS.iter().find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = tail;
    }
    (millis <= 3650 * 86_400_000).then(|| Duration::from_millis(millis))
}

/// A duration in its longest whole unit.
pub(super) fn show_duration(it: Duration) -> String {
    let millis = u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, factor): &&(&str, u64)| millis >= *factor && millis.is_multiple_of(*factor);
    let (unit, factor) = SPANS.iter().find(fits).unwrap_or(&("s", 1000));
    format!("{}{unit}", millis / factor)
}
