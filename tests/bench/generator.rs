//! The load of a benchmark: signed beforehand, sent over connections that are kept alive, counted.
//!
//! Closed loop: each connection sends its next event when the last one is answered. The same for everyone that is
//! measured.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lychgate_tests::sender::{platform, platform_user_created};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What a run of the load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Events answered with success.
    pub(crate) accepted: usize,
    /// From the first byte sent to the last answer.
    pub(crate) took: Duration,
    /// The answer time that half of the events stayed under.
    pub(crate) p50: Duration,
    /// The answer time that 99 of 100 events stayed under.
    pub(crate) p99: Duration,
}

impl Run {
    /// Events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64()
    }
}

/// Signed requests, ready for the wire, whose keys start with `name`.
pub(crate) fn requests(name: &str, secret: &str, count: usize) -> Vec<Vec<u8>> {
    let one = |n: usize| {
        let key = format!("{name}_{n}");
        platform(secret, platform_user_created(&key, &key)).bytes()
    };
    (0..count).map(one).collect()
}

/// Sends all of them over so many connections.
pub(crate) async fn send_all(to: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> Run {
    let share = requests.len().div_ceil(connections);
    let mut requests = requests.into_iter();
    let mut senders = JoinSet::new();
    let start = Instant::now();
    for _ in 0..connections {
        let mine: Vec<_> = requests.by_ref().take(share).collect();
        senders.spawn(send(to, mine));
    }
    let mut times: Vec<Duration> = senders.join_all().await.into_iter().flatten().collect();
    let took = start.elapsed();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Run { accepted: times.len(), took, p50: at(50), p99: at(99) }
}

async fn send(to: SocketAddr, requests: Vec<Vec<u8>>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(4096);
    let mut times = Vec::with_capacity(requests.len());
    for request in requests {
        let start = Instant::now();
        stream.write_all(&request).await.unwrap();
        let length = loop {
            if let Some(length) = answer_length(&buffer) {
                break length;
            }
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the connection was closed");
        };
        assert!(buffer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&buffer));
        buffer.drain(..length);
        times.push(start.elapsed());
    }
    times
}

/// How long the answer at the head of the buffer is, once all of it is there.
fn answer_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    let body: usize = text.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse().ok()?;
    (buffer.len() >= head + body).then_some(head + body)
}
