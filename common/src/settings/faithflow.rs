//! `[faithflow]`: how campuses' events are answered and how their core systems are asked.
//!
//! What belongs to one campus (address, credentials, secrets) is in the database, not here.

use std::time::Duration;

use jiff::civil::Time;

use super::{Share, setting::section};

section! {
    /// FaithFlow's campuses.
    pub struct FaithflowSettings in "faithflow" {
        /// How long an answer waits for the processed member, whose name it carries; then it is 202.
        wait: Duration = Duration::from_secs(3), in Duration::ZERO..=Duration::from_secs(60);
        /// How long one request to a campus's core system may take.
        core_timeout: Duration = Duration::from_secs(5), in Duration::from_millis(50)..=Duration::from_secs(120);
        /// Requests repeated within one attempt when the core system does not answer. The schedule does the rest.
        core_retries: u8 = 1, in 0..=5;
        /// The largest answer read from a core system.
        core_max_body: super::ByteSize = super::ByteSize::new(8 << 20),
            in super::ByteSize::new(1 << 10)..=super::ByteSize::new(256 << 20);
        /// Failures in a row after which a core system is left alone for a while.
        breaker_failures: u16 = 5, in 1..=1000;
        /// How long it is left alone before one request probes it.
        breaker_pause: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(3600);
        /// When the daily reconciliation begins, in the campus's time zone.
        reconcile_at: Time = Time::constant(3, 0, 0, 0);
        /// Members asked for with one request of the reconciliation.
        reconcile_page: u16 = 100, in 1..=1000;
        /// An answer with less than this share of the stored members is not believed: the campus is left alone.
        reconcile_least: Share = Share::HALF;
        /// Whether a core system may have a private or loopback address. Only for a core system in the same network.
        allow_private_core: bool = false;
    }
}
