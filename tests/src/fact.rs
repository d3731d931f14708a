//! Waiting for facts. Tests never sleep and hope: they look until what they wait for is so, or time is up.

use std::time::{Duration, Instant};

/// Time enough for anything on a slow, busy machine; reached only when a promise is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until `look` gives an `Ok`, for at most [`PATIENCE`].
///
/// # Panics
/// When time is up, with what was awaited and the last thing seen.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    eventually_within(PATIENCE, what, look).await
}

/// As [`eventually`], with another bound.
///
/// # Panics
/// When time is up.
pub async fn eventually_within<T>(bound: Duration, what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > bound => panic!("waited {bound:?} for: {what}; last seen: {seen}"),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}
