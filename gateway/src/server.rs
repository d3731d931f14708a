//! The public listener: accepts connections within bounds, gives each request to its door, drains when told to stop.
//!
//! hyper enforces no deadline without a timer, and none on connections or bodies at all; every bound is set here or in
//! `ingest`. Listener and stop signal are arguments, so that a test passes its own.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{
    Request,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use lychgate_common::{settings::Settings, stop::Stop};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    cors, duties, health_monitor,
    house::{House, count},
    ingest, magic, receipt,
    refusal::Refusal,
    reply::{self, Reply},
    routes::Door,
    simulation, webhooks,
};

/// How long to rest when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a lingering gateway looks whether its senders have gone.
const LINGER_LOOK: Duration = Duration::from_millis(20);

/// How long an answer may take at most, the body's arrival and the longest wait for an outcome included. Each step that
/// waits has a deadline of its own; this one is for the small questions to a database that stands still.
fn patience(settings: &Settings) -> Duration {
    let Settings { gateway, database, broker, .. } = settings;
    [gateway.body_deadline, gateway.wait_max, database.patience(), broker.publish_deadline, database.patience()]
        .iter()
        .sum()
}

/// Serves until `stop`, lingers, then lets the requests under way finish until the end cannot wait.
pub async fn serve(house: Arc<House>, listener: TcpListener, stop: Stop) {
    let settings = house.settings.gateway.clone();
    let duties = tokio::spawn(duties::run(Arc::clone(&house), stop.token()));
    let connections = count(settings.connections);
    let permits = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut lingered = pin!(linger(&stop, house.settings.stop.linger, &permits, connections));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut lingered => break,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are one small write each; waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        // hyper waits for ever until an answer is taken, and whoever takes none would keep a place; the system does not.
        let patience = u32::try_from(settings.body_deadline.as_millis()).unwrap_or(u32::MAX);
        let _ = set_tcp_user_timeout(&stream, patience);
        let (service_house, service_stop) = (Arc::clone(&house), stop.clone());
        let service =
            service_fn(move |request| parting(Arc::clone(&service_house), request, peer, service_stop.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_deadline)
            .max_headers(usize::from(settings.max_headers))
            .max_buf_size(settings.max_head.bytes())
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks has lost its sender; there is nobody left to tell.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = stop.now() => tracing::warn!("stopped with requests under way"),
    }
    tokio::select! {
        () = house.publisher.drained(stop.deadline()) => {}
        () = stop.now() => {}
    }
    // The duties end with the same stop; a panic there has been reported already.
    let _ = duties.await;
}

/// Waits for the stop and then a little longer, but not for senders that have gone. A connection that is closed while
/// its sender's next request is on its way leaves a sender that cannot know what became of it.
async fn linger(stop: &Stop, time: Duration, permits: &Semaphore, connections: usize) {
    stop.stopping().await;
    let since = Instant::now();
    // The listener itself holds a permit for whoever comes next.
    while since.elapsed() < time && !stop.is_now() && permits.available_permits() + 1 < connections {
        tokio::time::sleep(LINGER_LOOK).await;
    }
}

/// Answers, and says goodbye where the gateway is stopping.
async fn parting(
    house: Arc<House>,
    request: Request<Incoming>,
    peer: SocketAddr,
    stop: Stop,
) -> Result<Reply, Infallible> {
    let answering = timeout(patience(&house.settings), answer(Arc::clone(&house), request, peer));
    let mut reply = match answering.await {
        Ok(reply) => reply?,
        Err(_) => {
            house.metrics.refused("", &Refusal::Unavailable);
            reply::refusal(&Refusal::Unavailable)
        }
    };
    if stop.is_stopping() {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(reply)
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// A permit first, then a connection: past the bound new ones wait in the system's backlog.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> std::io::Result<Accepted> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn answer(house: Arc<House>, request: Request<Incoming>, peer: SocketAddr) -> Result<Reply, Infallible> {
    let Ok(_in_flight) = Arc::clone(&house.in_flight).try_acquire_owned() else {
        house.metrics.refused("", &Refusal::Overloaded);
        return Ok(reply::refusal(&Refusal::Overloaded));
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let routes = house.routes.load();
    Ok(match routes.door(&method, &uri) {
        Ok(Door::Ingest(source, params)) => ingest::ingest(&house, source, params, request, peer).await,
        Ok(Door::Preflight(source)) => cors::preflight(source, request.headers()).unwrap_or_else(|refusal| {
            house.metrics.refused(source.name(), &refusal);
            reply::refusal(&refusal)
        }),
        Ok(Door::Receipt(id)) => receipt::receipt(&house, id, &request, peer).await,
        Ok(Door::OpenApi) => reply::bytes(
            hyper::StatusCode::OK,
            HeaderValue::from_static("application/json"),
            bytes::Bytes::from_static(include_bytes!("../openapi.json")),
        ),
        Ok(Door::HealthMonitor) => health_monitor::page(&house).await,
        Ok(Door::Magic) => magic::sign_in(&house, request, peer).await,
        Ok(Door::Webhooks(page)) => webhooks::manage(&house, page, request, peer).await,
        Ok(Door::Simulation) => simulation::simulate(&house, request, peer).await,
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    })
}
