//! `[security]`: when refusals that look like an attack are worth waking somebody.
//!
//! Only numbers; the worker counts.

use std::time::Duration;

use super::setting::section;

section! {
    /// When security events (wrong signatures, key conflicts, limit storms) become an alert.
    pub struct SecuritySettings in "security" {
        /// So many within the window raise the alert. 50: a wrong secret's retries stay below, guessing does not.
        threshold: u32 = 50, in 1..=1_000_000;
        /// The time they are counted over. 5 minutes: a burst is seen at once, and the alert ends soon after it.
        window: Duration = Duration::from_secs(300), in Duration::from_secs(1)..=Duration::from_secs(86_400);
    }
}
