//! `[forward]`: how events are delivered to the user's own services. Where they go stands with each source.

use std::time::Duration;

use ipnet::IpNet;

use super::{ByteSize, setting::section};

section! {
    /// Deliveries to services of the user's own.
    pub struct ForwardSettings in "forward" {
        /// For one delivery, from the first byte sent to the last of the answer. Ten seconds is what most senders give.
        timeout: Duration = Duration::from_secs(10), in Duration::from_millis(50)..=Duration::from_secs(120);
        /// For a new connection.
        connect_timeout: Duration = Duration::from_secs(3), in Duration::from_millis(50)..=Duration::from_secs(60);
        /// How much of an answer is kept with a failed attempt: enough for a stack trace's first screen.
        answer_kept: ByteSize = ByteSize::new(4 << 10), in ByteSize::new(0)..=ByteSize::new(64 << 10);
        /// Deliveries under way to one destination (host and port) from one worker, so that a slow one holds only its
        /// own. What is over waits a second, then comes back after the shortest delay at no cost of an attempt.
        in_flight: u16 = 16, in 1..=300;
        /// Failures in a row after which a destination is left alone for a while.
        breaker_failures: u16 = 10, in 1..=1000;
        /// How long it is left alone before one delivery probes it.
        breaker_pause: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(3600);
        /// Private or loopback networks that may be called by every source that forwards, beside the public internet.
        allow: Vec<IpNet> = Vec::new();
    }
}
