//! `[gateway]`: the public listener, its limits, and how accepted events are recorded.
//!
//! Only numbers; the gateway enforces them.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use url::Url;

use super::{ByteSize, RateLimit, setting::section};

/// A minute, for rates.
const MINUTE: Duration = Duration::from_secs(60);

section! {
    /// The public listener and its limits.
    pub struct GatewaySettings in "gateway" {
        /// Where senders reach the gateway. Loopback, so that nothing is exposed before somebody says so.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080));
        /// The address that senders use, where signatures cover it and where links are built (never taken from `Host`).
        public_url: Option<Url> = None;
        /// The largest body, counted on the bytes that arrive. 1 MiB: ten times what the five systems send.
        max_body: ByteSize = ByteSize::new(1 << 20), in ByteSize::new(1)..=ByteSize::new(32 << 20);
        /// The most header lines of a request. Webhooks have about twenty.
        max_headers: u16 = 64, in 8..=1024;
        /// The most bytes of a request's head. 16 KiB is what other servers allow.
        max_head: ByteSize = ByteSize::new(16 << 10), in ByteSize::new(8 << 10)..=ByteSize::new(1 << 20);
        /// How long a request's head may take to arrive, and how long an idle connection is kept. Slower is an attack.
        header_deadline: Duration = Duration::from_secs(10), in Duration::from_millis(50)..=Duration::from_secs(300);
        /// How long a body may take to arrive, and how long an answer may wait to be taken. 10 s suffices for 1 MiB at
        /// 1 Mbit/s.
        body_deadline: Duration = Duration::from_secs(10), in Duration::from_millis(50)..=Duration::from_secs(300);
        /// Connections at once; further ones wait in the kernel's queue. Some 20 kB of memory each.
        connections: u32 = 4096, in 1..=100_000;
        /// Requests at once between head and answer; further ones are answered 503. With `max_body` this bounds memory.
        in_flight: u32 = 1024, in 1..=100_000;
        /// Proxies whose `X-Forwarded-For` is believed. None: the peer's address is the client's.
        trusted_proxies: Vec<IpNet> = Vec::new();
        /// Limit of all requests from one address (IPv6: one /64). Off: one honest sender is often one address, and sends
        /// in bursts.
        address_rate: RateLimit = RateLimit::Off;
        /// Limit of refused credentials from one address (IPv6: one /64), after which it is answered 429: guessing must
        /// be slow.
        refused_rate: RateLimit = RateLimit::rejecting(60, MINUTE, 60);
        /// Group commits at once. Two: while one waits for the disk the other is written. Beside one that is under way
        /// another begins with half of `record_batch`, or after 10 ms: small groups cost PostgreSQL a fifth more for
        /// each event.
        record_writers: u8 = 2, in 1..=16;
        /// The most events of one group commit. Beyond 200 a commit takes longer than it saves.
        record_batch: u16 = 200, in 1..=1000;
        /// The most bytes of bodies in one group commit, so that it stays short.
        record_batch_bytes: ByteSize = ByteSize::new(4 << 20), in ByteSize::new(1 << 10)..=ByteSize::new(64 << 20);
        /// Events that may wait for a group commit; one more is answered 503. About a second's worth of work.
        record_queue: u32 = 8192, in 1..=1_000_000;
        /// How long an answer waits for the outcome where neither the source nor the sender says. Zero: not at all.
        wait: Duration = Duration::ZERO, in Duration::ZERO..=Duration::from_secs(60);
        /// The longest wait that a sender may ask for (`Prefer: wait=N`). Proxies often give up after 30 s.
        wait_max: Duration = Duration::from_secs(25), in Duration::ZERO..=Duration::from_secs(60);
    }
}
