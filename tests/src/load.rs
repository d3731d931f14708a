//! A bounded load on loopback: some connections, kept alive, each sending one event after the other into the ledger.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    http::{Connection, Reply, Request},
    ledger::{Ledger, Outcome},
};

/// Builds the webhook number `n`: its key and the signed request.
pub type Build = dyn Fn(usize) -> (String, Request) + Send + Sync;

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    unclear: Arc<Mutex<Vec<String>>>,
    senders: JoinSet<()>,
}

impl Load {
    /// Starts `connections` senders to whichever address `to` holds at the time. An unanswered event is not repeated:
    /// what became of it is the checks' question.
    pub fn start(to: Target, connections: usize, ledger: Arc<Ledger>, build: Arc<Build>) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let next = Arc::new(AtomicUsize::new(0));
        let unclear: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            let (to, ledger, build) = (to.clone(), Arc::clone(&ledger), Arc::clone(&build));
            let (stop, answered, next) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&next));
            let unclear = Arc::clone(&unclear);
            senders.spawn(async move {
                let mut connection = None;
                while !stop.load(Ordering::Relaxed) {
                    let (key, request) = build(next.fetch_add(1, Ordering::Relaxed));
                    if reach(&to, &mut connection, &stop).await.is_none() {
                        return;
                    }
                    ledger.sending(&key, &request.body);
                    // Looked at again: noting it has taken a moment, in which an idle connection may have been closed.
                    let Some(open) = reach(&to, &mut connection, &stop).await else { return };
                    let answer = open.send(&request).await;
                    let outcome = judge(&answer);
                    ledger.ended(&key, outcome);
                    answered.fetch_add(usize::from(outcome == Outcome::Ack), Ordering::Relaxed);
                    let closes = |reply: &Reply| reply.header("connection").is_some_and(|value| value == "close");
                    if answer.as_ref().map_or(true, closes) {
                        connection = None;
                    }
                    if outcome == Outcome::Unknown {
                        unclear.lock().unwrap().push(format!("{key}: {answer:?}"));
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
        Self { stop, answered, unclear, senders }
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// What came instead of an answer, for those that have none.
    pub fn unclear(&self) -> Vec<String> {
        self.unclear.lock().unwrap().clone()
    }

    /// Waits until this many more have been acknowledged.
    pub async fn more(&self, count: usize) {
        let goal = self.acknowledged() + count;
        crate::fact::eventually("the load goes on", async || match self.acknowledged() {
            enough if enough >= goal => Ok(()),
            short => Err(format!("{short} of {goal}")),
        })
        .await;
    }

    /// Lets every sender finish its request; how many were acknowledged.
    pub async fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        self.acknowledged()
    }
}

/// Where a load goes; moves when the process behind it is started anew on another port.
#[derive(Clone, Debug)]
pub struct Target(Arc<Mutex<SocketAddr>>);

impl Target {
    /// A first address.
    pub fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(address)))
    }

    /// From now on here.
    pub fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap() = address;
    }

    /// Where it points.
    pub fn get(&self) -> SocketAddr {
        *self.0.lock().unwrap()
    }
}

/// The open connection, or a new one as soon as there is someone to connect to; `None` once the load is stopped.
async fn reach<'a>(
    to: &Target,
    connection: &'a mut Option<Connection>,
    stop: &AtomicBool,
) -> Option<&'a mut Connection> {
    // An idle connection that the other side has closed since is not used again, as every client does it.
    if connection.as_ref().is_some_and(Connection::is_closed) {
        *connection = None;
    }
    while connection.is_none() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match Connection::open(to.get()).await {
            Ok(open) => *connection = Some(open),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    connection.as_mut()
}

/// What the sender may conclude from an answer.
pub fn judge(answer: &std::io::Result<Reply>) -> Outcome {
    match answer {
        Ok(reply) if reply.is_success() => Outcome::Ack,
        // 408 and 429 are the product's "not now", nothing of the event is kept.
        Ok(reply) if (400..500).contains(&reply.status) => Outcome::Rejected,
        _ => Outcome::Unknown,
    }
}
