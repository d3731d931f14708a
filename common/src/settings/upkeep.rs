//! `[sweep]`, `[retention]`, `[stop]`: what is put right, what is thrown away, and how a process ends.
//!
//! Only numbers.

use std::time::Duration;

use super::setting::section;

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

section! {
    /// How events whose message was lost are found.
    pub struct SweepSettings in "sweep" {
        /// How long past its time an event must be before it is published again. Longer than a message usually waits, so
        /// that copies stay rare (they are dropped, but cost work).
        grace: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(86_400);
        /// The most events published again in one turn.
        batch: u16 = 500, in 1..=5000;
        /// How often to look. One indexed query.
        interval: Duration = Duration::from_secs(5), in Duration::from_millis(10)..=Duration::from_secs(3600);
    }
}

section! {
    /// How long things are kept.
    pub struct RetentionSettings in "retention" {
        /// Events with their bodies, attempts and deliveries, by days' partitions. 30 days cover a month's reconciliation.
        events: Duration = DAY * 30, in DAY..=DAY * 3650;
        /// Deduplication keys: a copy that comes later is a new event. 14 days: beyond every sender's retries.
        keys: Duration = DAY * 14, in DAY..=DAY * 365;
        /// Dead letters that nobody dealt with, with their events.
        dead: Duration = DAY * 90, in DAY..=DAY * 3650;
        /// The log of requests that made no event (refused, repeated, answered directly), by days' partitions, and the
        /// security events among them.
        deliveries: Duration = DAY * 30, in DAY..=DAY * 3650;
    }
}

section! {
    /// How a process ends.
    pub struct StopSettings in "stop" {
        /// How long work under way may take after SIGTERM. Less than the 30 s after which Kubernetes kills.
        deadline: Duration = Duration::from_secs(25), in Duration::ZERO..=Duration::from_secs(3600);
        /// How long a stopping gateway still takes requests, telling each sender to close its connection, before it
        /// closes idle connections itself. Long enough for a busy sender's next request.
        linger: Duration = Duration::from_millis(500), in Duration::ZERO..=Duration::from_secs(300);
    }
}
