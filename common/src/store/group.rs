//! Group commit: many callers, few writers, one statement for all who wait.
//!
//! A writer that becomes free takes everything that is waiting, up to a bound; nobody waits on a clock. A batch that
//! the server refuses for its data is halved until only the guilty item fails. Never reorders: what a batch may need
//! sorted, its write sorts.

use std::{fmt, future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc, oneshot};

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

type Waiting<T, R> = (T, oneshot::Sender<Result<R, Arc<StoreError>>>);

/// The door to a group's writers. Cheap to clone; the writers end when the last door is dropped.
pub struct Group<T, R>(mpsc::Sender<Waiting<T, R>>);

impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, R> fmt::Debug for Group<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} may wait)", self.0.capacity())
    }
}

impl<T: Weigh + Send + Sync + 'static, R: Send + 'static> Group<T, R> {
    /// Starts the writers.
    pub fn start(limits: GroupLimits, write: impl Write<T, R>) -> Self {
        let (door, queue) = mpsc::channel(limits.waiting.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let write = Arc::new(write);
        for _ in 0..limits.writers.max(1) {
            tokio::spawn(writer(limits, Arc::clone(&queue), Arc::clone(&write)));
        }
        Self(door)
    }

    /// Hands an item over and waits until its batch is committed. Turned away at once when too much is waiting.
    pub async fn submit(&self, item: T) -> Result<R, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send((item, answer)).map_err(|_| Arc::new(StoreError::Overloaded))?;
        answered.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Row("the writer ended".to_owned()))))
    }

    /// As [`Group::submit`], but waits for a place: for callers that are bounded themselves.
    pub async fn submit_patiently(&self, item: T) -> Result<R, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.0.send((item, answer)).await.map_err(|_| Arc::new(StoreError::Overloaded))?;
        answered.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Row("the writer ended".to_owned()))))
    }
}

async fn writer<T, R, W>(limits: GroupLimits, queue: Arc<Mutex<mpsc::Receiver<Waiting<T, R>>>>, write: Arc<W>)
where
    T: Weigh + Send + Sync,
    R: Send,
    W: Write<T, R>,
{
    loop {
        let (mut items, mut answers) = (Vec::new(), Vec::new());
        {
            let mut queue = queue.lock().await;
            let Some((item, answer)) = queue.recv().await else { return };
            let mut bytes = item.weight();
            items.push(item);
            answers.push(answer);
            while items.len() < limits.items && bytes < limits.bytes {
                let Ok((item, answer)) = queue.try_recv() else { break };
                bytes += item.weight();
                items.push(item);
                answers.push(answer);
            }
        }
        for (answer, result) in answers.into_iter().zip(halving(write.as_ref(), &items).await) {
            // A caller that is gone needs no answer; its item is committed all the same.
            let _ = answer.send(result);
        }
    }
}

/// Writes a batch; where the data is refused, halves it until only the guilty items are.
async fn halving<T: Send + Sync, R, W: Write<T, R>>(write: &W, items: &[T]) -> Vec<Result<R, Arc<StoreError>>> {
    let mut results = Vec::with_capacity(items.len());
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        match write.write(part).await {
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

    struct Picky;

    impl Weigh for i32 {
        fn weight(&self) -> usize {
            4
        }
    }

    impl Write<i32, i32> for Picky {
        async fn write(&self, items: &[i32]) -> Result<Vec<i32>, StoreError> {
            if items.iter().any(|item| *item < 0) {
                return Err(StoreError::refused_data("negative"));
            }
            Ok(items.iter().map(|item| item * 2).collect())
        }
    }

    #[tokio::test]
    async fn only_the_guilty_items_of_a_batch_fail_and_the_order_holds() {
        let results = halving(&Picky, &[1, 2, -3, 4, 5, -6, 7]).await;
        let values: Vec<_> = results.into_iter().map(Result::ok).collect();
        assert_eq!(values, [Some(2), Some(4), None, Some(8), Some(10), None, Some(14)]);
    }

    #[tokio::test]
    async fn everyone_is_answered_and_the_surplus_is_turned_away() {
        let limits = GroupLimits { writers: 2, items: 10, bytes: 1000, waiting: 100 };
        let group = Group::start(limits, Picky);
        let answers = futures_util::future::join_all((0..50).map(|item| group.submit(item))).await;
        assert!(answers.iter().zip(0..).all(|(answer, item)| *answer.as_ref().unwrap() == item * 2));
    }
}
