//! The ops listener's promises, over a real socket.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Health, Ops, State};
use crate::{clock::Clock, metrics::Registry, stop::Stop};

struct Served {
    address: std::net::SocketAddr,
    broker: Arc<Mutex<State>>,
    stop: Stop,
    task: JoinHandle<()>,
}

async fn served() -> Served {
    let broker = Arc::new(Mutex::new(State::Up));
    let now = Arc::clone(&broker);
    let health = Health::new()
        .check("database", || async { State::from(Ok::<(), String>(())) })
        .check("broker", move || std::future::ready(now.lock().unwrap().clone()));
    let stop = Stop::new(Duration::from_secs(60));
    let clock = Clock::standing_at(Timestamp::from_second(1_700_000_000).unwrap());
    let ops = Ops::new(health, &Registry::new(), &clock, &stop).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Served { address, broker, stop, task: tokio::spawn(ops.serve(listener)) }
}

impl Served {
    async fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path).await
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn broker_is(&self, state: State) {
        *self.broker.lock().unwrap() = state;
    }
}

#[tokio::test]
async fn degraded_stays_ready_and_down_does_not() {
    let served = served().await;
    assert_eq!(served.get("/livez").await.0, 200);
    let (status, body) = served.get("/readyz").await;
    assert!(status == 200 && body.contains(r#""status":"up""#), "{body}");

    served.broker_is(State::Degraded("connection refused".to_owned()));
    let (status, body) = served.get("/readyz").await;
    assert!(status == 200 && body.contains(r#""broker":{"state":"degraded","reason":"connection refused"}"#), "{body}");

    served.broker_is(State::Down("gone".to_owned()));
    let (status, body) = served.get("/readyz").await;
    assert!(status == 503 && body.contains(r#""status":"down""#), "{body}");
    let (_, metrics) = served.get("/metrics").await;
    assert!(metrics.contains(r#"lychgate_check_state{check="broker"} 0"#), "{metrics}");
    assert!(metrics.contains("lychgate_start_time_seconds 1700000000"), "{metrics}");
}

#[tokio::test]
async fn a_stopping_process_is_alive_and_not_ready_until_it_ends() {
    let served = served().await;
    served.stop.ask();
    assert_eq!(served.get("/livez").await.0, 200);
    assert_eq!(served.get("/readyz").await.0, 503);
    assert!(served.get("/metrics").await.1.contains("lychgate_stopping 1"));
    served.stop.ask_now();
    served.task.await.unwrap();
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_clearly() {
    let served = served().await;
    assert_eq!(served.get("/").await, (404, "{\"detail\":\"there are /livez, /readyz and /metrics\"}\n".to_owned()));
    assert_eq!(served.ask("POST", "/livez").await.0, 405);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_down() {
    let health = Health::new().check("database", std::future::pending);
    assert_eq!(health.ask().await, [("database", State::Down("no answer in 2s".to_owned()))]);
}
