//! Timestamps of senders: how they are written, and whether one is fresh.
//!
//! Compared with the time of receipt, never with the time of processing.

use std::{borrow::Cow, time::Duration};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{place::Place, refused::Refused};

/// How far a sender's clock may be off before what it says about an event's time is not believed: a day.
pub const FUTURE_LIMIT: SignedDuration = SignedDuration::from_hours(24);

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// RFC 3339 / ISO 8601; without an offset it is read as UTC.
    Rfc3339,
    /// Any of these; a number from 10^11 on is milliseconds. Not for a signature's own time.
    Any,
}

impl TimeForm {
    /// Reads a timestamp, cut to the microsecond that the store keeps.
    pub fn read(self, text: &str) -> Option<Timestamp> {
        let number = || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
        let at = match self {
            Self::Seconds => Timestamp::from_second(number()?).ok()?,
            Self::Millis => Timestamp::from_millisecond(number()?).ok()?,
            Self::Any => match number() {
                Some(seconds) if seconds < 100_000_000_000 => Timestamp::from_second(seconds).ok()?,
                Some(millis) => Timestamp::from_millisecond(millis).ok()?,
                None => Self::Rfc3339.read(text)?,
            },
            Self::Rfc3339 => text.parse::<Timestamp>().ok().or_else(|| {
                let local = text.parse::<DateTime>().ok()?;
                local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
            })?,
        };
        Timestamp::from_microsecond(at.as_microsecond()).ok()
    }

    /// Writes a timestamp as a sender would.
    pub fn write(self, at: Timestamp) -> String {
        match self {
            Self::Seconds => at.as_second().to_string(),
            Self::Millis => at.as_millisecond().to_string(),
            Self::Rfc3339 | Self::Any => at.to_string(),
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Seconds => "it must be a time in seconds since 1970",
            Self::Millis => "it must be a time in milliseconds since 1970",
            Self::Any => "it must be a time, in ISO 8601 or as a number since 1970",
            Self::Rfc3339 => "it must be an ISO 8601 time such as 2025-11-20T01:40:00Z",
        }
    }
}

/// Where the signature's timestamp stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeAt {
    /// The first of these places that holds something.
    Places(Vec<Place>),
    /// A pair of the signature's own value, by label: Stripe's `t=`.
    Pair(Cow<'static, str>),
}

/// How fresh a signature must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Where its timestamp stands.
    pub at: TimeAt,
    /// How it is written.
    pub form: TimeForm,
    /// How old it may be on receipt.
    pub past: Duration,
    /// How far ahead it may be on receipt.
    pub future: Duration,
}

impl Freshness {
    /// The tolerance of most senders' own libraries: 300 s on both sides.
    pub const TOLERANCE: Duration = Duration::from_secs(300);

    /// With the usual tolerance.
    pub fn within(at: TimeAt, form: TimeForm) -> Self {
        Self { at, form, past: Self::TOLERANCE, future: Self::TOLERANCE }
    }

    /// In a header, with the usual tolerance; the name must be lower case.
    pub fn at_header(name: &'static str, form: TimeForm) -> Self {
        Self::within(TimeAt::Places(vec![Place::header(name)]), form)
    }

    /// Among the signature's pairs, with the usual tolerance.
    pub fn at_label(label: &'static str, form: TimeForm) -> Self {
        Self::within(TimeAt::Pair(label.into()), form)
    }

    /// Checks a timestamp that the signature has vouched for.
    pub(super) fn check(&self, text: &str, received_at: Timestamp) -> Result<(), Refused> {
        let at = self.form.read(text).ok_or_else(|| Refused::malformed(format!("timestamp: {}", self.form.words())))?;
        let age = received_at.duration_since(at);
        let limit = |tolerance: Duration| SignedDuration::try_from(tolerance).unwrap_or(SignedDuration::MAX);
        if age > limit(self.past) {
            return Err(Refused::TimestampStale { tolerance_seconds: self.past.as_secs() });
        }
        if -age > limit(self.future) {
            return Err(Refused::TimestampAhead { tolerance_seconds: self.future.as_secs() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_reads_what_it_writes() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        for form in [TimeForm::Seconds, TimeForm::Millis, TimeForm::Rfc3339] {
            assert_eq!(form.read(&form.write(at)), Some(at));
            for bad in ["", "-1", "+1700000000", "1e9", "soon", "99999999999999999999"] {
                assert_eq!(form.read(bad), None, "{form:?} {bad}");
            }
        }
    }

    #[test]
    fn a_time_without_offset_is_utc() {
        let read = TimeForm::Rfc3339.read("2025-11-20T01:40:03.519522").unwrap();
        assert_eq!(read.to_string(), "2025-11-20T01:40:03.519522Z");
    }

    #[test]
    fn both_sides_of_the_tolerance_hold() {
        let fresh = Freshness {
            at: TimeAt::Pair("t".into()),
            form: TimeForm::Seconds,
            past: Freshness::TOLERANCE,
            future: Duration::from_secs(10),
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(fresh.check("1699999700", now), Ok(()));
        assert_eq!(fresh.check("1699999699", now), Err(Refused::TimestampStale { tolerance_seconds: 300 }));
        assert_eq!(fresh.check("1700000010", now), Ok(()));
        assert_eq!(fresh.check("1700000011", now), Err(Refused::TimestampAhead { tolerance_seconds: 10 }));
    }
}
