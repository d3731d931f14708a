//! The ops listener of every process: `/livez`, `/readyz`, `/metrics`.
//!
//! Never on the public listener. Alive means that the process answers; ready means that no check is down and nobody has
//! asked it to stop. A *degraded* check (the broker away while the store still accepts) stays ready and says so.

mod answer;
mod health;

use std::{sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

pub use self::health::{Health, State};
use crate::{
    clock::Clock,
    metrics::{MetricsError, ProcessMetrics, Registry},
    stop::Stop,
    telemetry,
};

/// How long a request's head may take, and an idle connection be kept. Scrapers are near and quick.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// Connections at once. Two scrapers and a probe need three.
const CONNECTIONS: usize = 64;

/// What the ops listener shows.
#[derive(Debug)]
pub struct Ops {
    health: Health,
    registry: Registry,
    metrics: ProcessMetrics,
    stop: Stop,
}

impl Ops {
    /// Registers what every process says of itself, and takes the checks.
    pub fn new(health: Health, registry: &Registry, clock: &Clock, stop: &Stop) -> Result<Self, MetricsError> {
        let metrics = ProcessMetrics::new(registry)?;
        metrics.build.with([telemetry::VERSION, telemetry::BUILD]).set(1.0);
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit an f64's 53 bits")]
        metrics.started.with([]).set(clock.now().as_second() as f64);
        Ok(Self { health, registry: registry.clone(), metrics, stop: stop.clone() })
    }

    /// Serves until the stop cannot wait: during the drain `/readyz` says so and `/metrics` can still be read.
    pub async fn serve(self, listener: TcpListener) {
        let ops = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ops.stop.now() => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the ops listener cannot accept a connection");
                    // Most often no file descriptors are left; a moment later some may be.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let ops = Arc::clone(&ops);
            tokio::spawn(async move {
                let _place = place;
                let service = service_fn(|request| {
                    let ops = Arc::clone(&ops);
                    async move { Ok::<_, std::convert::Infallible>(ops.answer(&request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_DEADLINE)
                    .max_buf_size(16 * 1024)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    // A scraper that goes away in the middle is no news.
                    _ = connection => {}
                    () = ops.stop.now() => {}
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
