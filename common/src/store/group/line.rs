//! The line in front of a group's writers: who goes together, and when.
//!
//! A writer takes all who wait, up to a bound. Beside a statement that is under way a small group does not go at once:
//! most of a small statement is its own cost, and by the time the other has returned more have come. Never holds anybody
//! back when nothing is under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{GroupLimits, StoreError, Weigh};

/// How long a small group waits for a statement that is under way: several times what a commit takes. Past it the other
/// is stuck on something, which is nobody else's concern.
const HOLD: Duration = Duration::from_millis(10);

pub(super) type Answer<R> = oneshot::Sender<Result<R, Arc<StoreError>>>;
pub(super) type Waiting<T, R> = (T, Answer<R>);

/// Those who wait, and what is under way meanwhile.
pub(super) struct Line<T, R> {
    queue: Mutex<mpsc::Receiver<Waiting<T, R>>>,
    limits: GroupLimits,
    under_way: AtomicUsize,
    returned: Notify,
}

/// One group, counted as under way until it is dropped.
pub(super) struct Gathered<'a, T, R> {
    pub(super) items: Vec<T>,
    pub(super) answers: Vec<Answer<R>>,
    _under_way: UnderWay<'a>,
}

impl<T: Weigh, R> Line<T, R> {
    pub(super) fn new(limits: GroupLimits, queue: mpsc::Receiver<Waiting<T, R>>) -> Self {
        Self { queue: Mutex::new(queue), limits, under_way: AtomicUsize::new(0), returned: Notify::new() }
    }

    /// The next group; `None` once the last door is closed and nobody waits any more.
    pub(super) async fn gather(&self) -> Option<Gathered<'_, T, R>> {
        let mut queue = self.queue.lock().await;
        let (mut items, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut take = |(item, answer): Waiting<T, R>| {
            // Given up before it was begun: nothing has been promised, and its place is free for another.
            if !answer.is_closed() {
                bytes += item.weight();
                items.push(item);
                answers.push(answer);
            }
            (items.len(), bytes)
        };
        let (mut count, mut weight) = (0, 0);
        while count == 0 {
            (count, weight) = take(queue.recv().await?);
        }
        let held_until = Instant::now() + HOLD;
        loop {
            while count < self.limits.items && weight < self.limits.bytes {
                let Ok(waiting) = queue.try_recv() else { break };
                (count, weight) = take(waiting);
            }
            let small = count * 2 < self.limits.items && weight * 2 < self.limits.bytes;
            if !small || self.under_way.load(Ordering::Relaxed) == 0 {
                break;
            }
            tokio::select! {
                waiting = queue.recv() => match waiting {
                    Some(waiting) => (count, weight) = take(waiting),
                    None => break,
                },
                () = self.returned.notified() => {}
                () = sleep_until(held_until) => break,
            }
        }
        // Counted before the next one may gather.
        Some(Gathered { items, answers, _under_way: UnderWay::begin(&self.under_way, &self.returned) })
    }
}

struct UnderWay<'a> {
    count: &'a AtomicUsize,
    returned: &'a Notify,
}

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize, returned: &'a Notify) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count, returned }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.returned.notify_one();
    }
}
