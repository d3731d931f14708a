//! Which campuses' daily runs are due. Pure.
//!
//! A day's run is due from the campus's 03:00 on, and stays due until it is done: a night in which no worker ran is made
//! up for in the morning. Where the clocks skip 03:00 it is the moment after the gap; where it comes twice, the first.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use lychgate_common::store::{CampusClock, NewRun};

/// The runs that are due at `now`.
pub(super) fn runs(clocks: &[CampusClock], at: Time, now: Timestamp) -> Vec<NewRun> {
    let due = |clock: &CampusClock| {
        let day = due_day(&zone(&clock.time_zone), at, now, clock.created_at)?;
        (clock.last_day < Some(day)).then_some(NewRun { campus_id: clock.campus_id, day })
    };
    clocks.iter().filter_map(due).collect()
}

/// The campus's own date.
pub(super) fn day_at(time_zone: &str, now: Timestamp) -> Date {
    now.to_zoned(zone(time_zone)).date()
}

/// The last day whose hour has come, unless the campus did not exist then.
fn due_day(zone: &TimeZone, at: Time, now: Timestamp, created: Timestamp) -> Option<Date> {
    let today = now.to_zoned(zone.clone()).date();
    [Some(today), today.yesterday().ok()]
        .into_iter()
        .flatten()
        .find_map(|day| {
            let hour = zone.to_ambiguous_zoned(day.to_datetime(at)).compatible().ok()?.timestamp();
            (hour <= now).then_some((day, hour))
        })
        .filter(|(_, hour)| created < *hour)
        .map(|(day, _)| day)
}

/// Checked when the campus was added; a zone that has been abolished since is UTC.
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn day(zone: &str, now: &str, last: Option<&str>) -> Option<String> {
        let clock = CampusClock {
            campus_id: Uuid::nil(),
            time_zone: zone.into(),
            created_at: "2025-01-01T00:00:00Z".parse().unwrap(),
            last_day: last.map(|day| day.parse().unwrap()),
        };
        let due = runs(&[clock], Time::constant(3, 0, 0, 0), now.parse().unwrap());
        due.first().map(|run| run.day.to_string())
    }

    #[test]
    fn three_o_clock_is_the_campuss_own() {
        // Jakarta is at UTC+7: its 03:00 is 20:00 of the day before.
        assert_eq!(day("Asia/Jakarta", "2025-11-19T19:59:59Z", Some("2025-11-19")), None);
        assert_eq!(day("Asia/Jakarta", "2025-11-19T20:00:00Z", Some("2025-11-19")).as_deref(), Some("2025-11-20"));
        assert_eq!(day("UTC", "2025-11-19T20:00:00Z", Some("2025-11-19")), None);
        assert_eq!(day("America/New_York", "2025-07-01T07:00:00Z", Some("2025-06-30")).as_deref(), Some("2025-07-01"));
        assert_eq!(day("America/New_York", "2025-12-01T07:00:00Z", Some("2025-11-30")), None);
    }

    #[test]
    fn a_missed_night_is_made_up_for_once() {
        assert_eq!(day("UTC", "2025-11-20T14:00:00Z", Some("2025-11-18")).as_deref(), Some("2025-11-20"));
        assert_eq!(day("UTC", "2025-11-20T02:00:00Z", Some("2025-11-18")).as_deref(), Some("2025-11-19"));
        assert_eq!(day("UTC", "2025-11-20T14:00:00Z", Some("2025-11-20")), None);
        assert_eq!(day("UTC", "2025-11-20T14:00:00Z", None).as_deref(), Some("2025-11-20"));
        assert_eq!(day("UTC", "2025-01-01T02:00:00Z", None), None, "it was added after the last 03:00");
    }

    #[test]
    fn a_skipped_hour_is_made_up_for_and_a_doubled_one_comes_once() {
        // Helsinki skips 03:00-04:00 on 30 March 2025, and has 03:00-04:00 twice on 26 October.
        let zone = "Europe/Helsinki";
        assert_eq!(day(zone, "2025-03-30T00:59:59Z", Some("2025-03-29")), None);
        assert_eq!(day(zone, "2025-03-30T01:00:00Z", Some("2025-03-29")).as_deref(), Some("2025-03-30"));
        assert_eq!(day(zone, "2025-10-26T00:00:00Z", Some("2025-10-25")).as_deref(), Some("2025-10-26"));
        assert_eq!(day(zone, "2025-10-26T01:00:00Z", Some("2025-10-26")), None);
    }
}
