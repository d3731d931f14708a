//! A share of something, written as `"50%"`.
//!
//! Whole percents from 1 to 100; a share of anything is at least one of it.

use super::value::readable_text;

/// A share, 1 to 100 percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Share(u8);

impl Share {
    /// Everything.
    pub const ALL: Self = Self(100);
    /// One half.
    pub const HALF: Self = Self(50);
    /// One quarter.
    pub const QUARTER: Self = Self(25);

    /// The share of `whole`, rounded down, at least 1.
    pub fn of(self, whole: usize) -> usize {
        (whole.saturating_mul(usize::from(self.0)) / 100).max(1)
    }

    fn parse(text: &str) -> Option<Self> {
        let percent: u8 = text.strip_suffix('%')?.trim().parse().ok()?;
        (1..=100).contains(&percent).then_some(Self(percent))
    }
}

readable_text!(Share, "a share from \"1%\" to \"100%\"", Share::parse, |it| format!("\"{}%\"", it.0));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_nothing() {
        assert_eq!(Share::HALF.of(64), 32);
        assert_eq!(Share::QUARTER.of(1), 1);
        assert_eq!(Share::parse("0%"), None);
        assert_eq!(Share::parse("101%"), None);
    }
}
