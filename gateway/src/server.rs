//! The public listener: accepts connections within bounds, gives each request to its door, drains when told to stop.
//!
//! hyper enforces no deadline without a timer, and none on connections or bodies at all; every bound is set here or in
//! `ingest`. Listener and stop signal are arguments, so that a test passes its own.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::{
    duties,
    house::{House, count},
    ingest, receipt,
    refusal::Refusal,
    reply::{self, Reply},
    routes::Door,
};

/// How long to rest when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then lets the requests under way finish within the drain deadline.
pub async fn serve(house: Arc<House>, listener: TcpListener, stop: CancellationToken) {
    let settings = house.settings.gateway.clone();
    let drain = house.settings.stop.deadline;
    let duties = tokio::spawn(duties::run(Arc::clone(&house), stop.clone()));
    let permits = Arc::new(Semaphore::new(count(settings.connections)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = stop.cancelled() => break,
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
        let service_house = Arc::clone(&house);
        let service = service_fn(move |request| answer(Arc::clone(&service_house), request, peer));
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
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("the drain deadline passed with requests under way");
    }
    house.publisher.drained(drain).await;
    // The duties end with the same stop; a panic there has been reported already.
    let _ = duties.await;
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
        Ok(Door::Receipt(id)) => receipt::receipt(&house, id, &request).await,
        Ok(Door::OpenApi) => reply::bytes(
            hyper::StatusCode::OK,
            hyper::header::HeaderValue::from_static("application/json"),
            bytes::Bytes::from_static(include_bytes!("../openapi.json")),
        ),
        Err(refusal) => {
            house.metrics.refused("", &refusal);
            reply::refusal(&refusal)
        }
    })
}
