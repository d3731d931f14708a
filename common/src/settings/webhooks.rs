//! `[webhooks]`: the management interface `/v2/webhooks`, and how its webhooks are delivered to. How long a delivery may
//! take stands in `[forward]`.

use std::time::Duration;

use super::setting::section;
use crate::secret::Secret;

section! {
    /// Webhooks that are subscribed to over `/v2/webhooks`.
    pub struct WebhooksSettings in "webhooks" {
        /// What callers of `/v2/webhooks` show as `Authorization: Bearer …`, by reference, 22 characters or more each;
        /// several, so that one can be replaced while the other is still in use. None: nobody can call it.
        api_keys: Vec<Secret> = Vec::new();
        /// Whether endpoints may be plain http, and on private or loopback addresses. No: whoever may subscribe could
        /// make us call into our own network. Single private networks are allowed by forward.allow.
        allow_private: bool = false;
        /// The most deliveries to one webhook in any ten seconds, over all workers. What is over waits, and costs no
        /// attempt. 100 is what Platform Core promises to its receivers.
        burst: u32 = 100, in 1..=1_000_000;
        /// The most deliveries to one webhook in any minute, over all workers. 1000, for the same reason.
        per_minute: u32 = 1000, in 1..=1_000_000;
        /// Deliveries under way to one webhook from one worker. Four: 100 in ten seconds need no more while an endpoint
        /// answers within 400 ms, and a slow one holds no more of the worker.
        in_flight: u16 = 4, in 1..=300;
        /// A webhook to which nothing has arrived for so long, though it was tried, is disabled. Five days outlast a long
        /// week-end.
        disable_after: Duration = Duration::from_secs(5 * 86_400), in Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
    }
}
