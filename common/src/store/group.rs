//! Group commit: many callers, few writers, one statement for all who wait.
//!
//! A writer that becomes free takes everything that is waiting, up to a bound. A batch that the server refuses for its
//! data is halved until only the guilty item fails. A server that says nothing at all is given up on, for its own
//! deadlines stand still with it. Never reorders: what a batch may need sorted, its write sorts.

mod line;

use std::{fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use self::line::{Line, Waiting};
use super::StoreError;

/// Bounds of one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupLimits {
    /// Statements under way at once. Two to four keep a disk busy; more only shrink the batches.
    pub writers: usize,
    /// Items in one statement at most.
    pub items: usize,
    /// Bytes in one statement at most, by the items' own account.
    pub bytes: usize,
    /// Items that may wait. Past it a caller is turned away at once, so that memory stays bounded.
    pub waiting: usize,
    /// How long an answer may take: longer than the server's own deadline for a statement. Past it nobody knows whether
    /// the batch is committed.
    pub patience: Duration,
}

/// An item that knows about how many bytes it brings along.
pub trait Weigh {
    /// Its size in bytes, roughly.
    fn weight(&self) -> usize;
}

/// What the group does with a batch. The answers are in the order of the items.
pub trait Write<T, R>: Send + Sync + 'static {
    /// Writes all items in one transaction, or none.
    fn write(&self, items: &[T]) -> impl Future<Output = Result<Vec<R>, StoreError>> + Send;
}

/// The door to a group's writers. Cheap to clone; the writers end when the last door is dropped.
pub struct Group<T, R> {
    door: mpsc::Sender<Waiting<T, R>>,
    patience: Duration,
}

impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { door: self.door.clone(), patience: self.patience }
    }
}

impl<T, R> fmt::Debug for Group<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} may wait)", self.door.capacity())
    }
}

impl<T: Weigh + Send + Sync + 'static, R: Send + 'static> Group<T, R> {
    /// Starts the writers.
    pub fn start(limits: GroupLimits, write: impl Write<T, R>) -> Self {
        let (door, queue) = mpsc::channel(limits.waiting.max(1));
        let line = Arc::new(Line::new(limits, queue));
        let write = Arc::new(write);
        for _ in 0..limits.writers.max(1) {
            let (line, write) = (Arc::clone(&line), Arc::clone(&write));
            tokio::spawn(async move {
                // A panic costs its batch, whose callers hear of it, and never the writer: nobody would make another.
                while AssertUnwindSafe(writer(&line, write.as_ref(), limits.patience)).catch_unwind().await.is_err() {}
            });
        }
        Self { door, patience: limits.patience }
    }

    /// Hands an item over and waits until its batch is committed. Turned away at once when too much is waiting, and
    /// given up when there is no answer in time.
    pub async fn submit(&self, item: T) -> Result<R, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.door.try_send((item, answer)).map_err(|_| Arc::new(StoreError::Overloaded))?;
        let answered = timeout(self.patience, answered).await.map_err(|_| StoreError::silent(self.patience))?;
        answered.unwrap_or_else(|_| Err(Arc::new(StoreError::Row("the writer ended".to_owned()))))
    }

    /// As [`Group::submit`], but waits for a place: for callers that are bounded themselves.
    pub async fn submit_patiently(&self, item: T) -> Result<R, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.door.send((item, answer)).await.map_err(|_| Arc::new(StoreError::Overloaded))?;
        answered.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Row("the writer ended".to_owned()))))
    }
}

async fn writer<T, R, W>(line: &Line<T, R>, write: &W, patience: Duration)
where
    T: Weigh + Send + Sync,
    R: Send,
    W: Write<T, R>,
{
    while let Some(group) = line.gather().await {
        let results = halving(write, &group.items, patience).await;
        for (answer, result) in group.answers.into_iter().zip(results) {
            // A caller that has gone meanwhile needs no answer; its item is committed all the same.
            let _ = answer.send(result);
        }
    }
}

/// Writes a batch; where the data is refused, halves it until only the guilty items are.
async fn halving<T, R, W>(write: &W, items: &[T], patience: Duration) -> Vec<Result<R, Arc<StoreError>>>
where
    T: Send + Sync,
    W: Write<T, R>,
{
    let mut results = Vec::with_capacity(items.len());
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        let written = timeout(patience, write.write(part)).await;
        match written.unwrap_or_else(|_| Err(StoreError::silent(patience))) {
            Ok(answers) => results.extend(answers.into_iter().map(Ok)),
            Err(error) if error.is_data() && part.len() > 1 => {
                let (left, right) = part.split_at(part.len() / 2);
                parts.push(right);
                parts.push(left);
            }
            Err(error) => {
                let error = Arc::new(error);
                results.extend(part.iter().map(|_| Err(Arc::clone(&error))));
            }
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses what is negative, panics at one number and never ends at another.
    struct Picky;

    const PANIC: i32 = 1000;
    const SILENCE: i32 = 2000;
    const LIMITS: GroupLimits =
        GroupLimits { writers: 2, items: 10, bytes: 1000, waiting: 100, patience: Duration::from_secs(12) };

    impl Weigh for i32 {
        fn weight(&self) -> usize {
            4
        }
    }

    impl Write<i32, i32> for Picky {
        async fn write(&self, items: &[i32]) -> Result<Vec<i32>, StoreError> {
            assert!(!items.contains(&PANIC), "as a defect would");
            if items.contains(&SILENCE) {
                std::future::pending::<()>().await;
            }
            if items.iter().any(|item| *item < 0) {
                return Err(StoreError::refused_data("negative"));
            }
            Ok(items.iter().map(|item| item * 2).collect())
        }
    }

    #[tokio::test]
    async fn only_the_guilty_items_of_a_batch_fail_and_the_order_holds() {
        let results = halving(&Picky, &[1, 2, -3, 4, 5, -6, 7], LIMITS.patience).await;
        let values: Vec<_> = results.into_iter().map(Result::ok).collect();
        assert_eq!(values, [Some(2), Some(4), None, Some(8), Some(10), None, Some(14)]);
    }

    #[tokio::test]
    async fn everyone_is_answered_and_the_surplus_is_turned_away() {
        let group = Group::start(LIMITS, Picky);
        let answers = futures_util::future::join_all((0..50).map(|item| group.submit(item))).await;
        assert!(answers.iter().zip(0..).all(|(answer, item)| *answer.as_ref().unwrap() == item * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_panic_nor_a_server_that_says_nothing_ends_a_writer() {
        let group = Group::start(LIMITS, Picky);
        for _ in 0..LIMITS.writers * 2 {
            assert!(matches!(group.submit(PANIC).await.unwrap_err().as_ref(), StoreError::Row(_)));
        }
        for _ in 0..LIMITS.writers * 2 {
            assert!(group.submit(SILENCE).await.unwrap_err().is_away());
        }
        assert_eq!(group.submit(21).await.unwrap(), 42);
    }

    /// Takes its time, and says who went together.
    #[derive(Clone, Default)]
    struct Slow(Arc<std::sync::Mutex<Vec<Vec<i32>>>>);

    impl Write<i32, i32> for Slow {
        async fn write(&self, items: &[i32]) -> Result<Vec<i32>, StoreError> {
            self.0.lock().unwrap().push(items.to_vec());
            let stuck = items.contains(&SILENCE);
            tokio::time::sleep(Duration::from_millis(if stuck { 1000 } else { 2 })).await;
            Ok(items.to_vec())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn beside_a_statement_under_way_the_few_wait_and_go_together_unless_it_is_stuck() {
        let slow = Slow::default();
        let group = Group::start(LIMITS, slow.clone());
        let later = async |item| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            group.submit(item).await
        };
        let (_, _, _) = tokio::join!(group.submit(1), later(2), later(3));
        assert_eq!(*slow.0.lock().unwrap(), [vec![1], vec![2, 3]]);
        let many = futures_util::future::join_all((10..10 + LIMITS.items as i32 / 2).map(later));
        let (_, _) = tokio::join!(group.submit(4), many);
        assert_eq!(slow.0.lock().unwrap().last().unwrap().len(), LIMITS.items / 2, "enough not to wait");
        let began = tokio::time::Instant::now();
        tokio::select! {
            _ = group.submit(SILENCE) => panic!("it is stuck"),
            answer = later(5) => assert_eq!(answer.unwrap(), 5),
        }
        assert!(began.elapsed() < Duration::from_millis(100), "nobody waits for what is stuck");
    }
}
