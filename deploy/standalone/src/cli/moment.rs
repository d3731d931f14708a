//! A point in time as an operator types it: absolute, or so long ago.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use lychgate_common::clock::Clock;

/// `2026-01-31T12:00:00Z`, or an age like `90m`, `2h`, `3d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// A point on the calendar.
    At(Timestamp),
    /// So long before now.
    Ago(SignedDuration),
}

impl Moment {
    /// The point in time.
    pub(crate) fn on(self, clock: &Clock) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(age) => clock.now().checked_sub(age).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is neither a time like 2026-01-31T12:00:00Z nor an age like 90m, 2h or 3d");
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        // jiff knows no days in durations, because a day is not always 24 h; for an age it is.
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(wrong()),
        };
        number.checked_mul(seconds).map(|seconds| Self::Ago(SignedDuration::from_secs(seconds))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        assert_eq!("2h".parse(), Ok(Moment::Ago(SignedDuration::from_hours(2))));
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Moment::At(Timestamp::UNIX_EPOCH)));
        for wrong in ["", "h", "5", "5 days", "-1h", "yesterday", "99999999999999999999d"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
