//! The couriers: one HTTP client for the public internet and one for private networks, with a breaker and a bound on
//! concurrency for each destination, so that a slow one holds only its own deliveries.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;
use lychgate_common::{settings::ForwardSettings, source::Destination};
use tokio::sync::Semaphore;

use crate::{
    breaker::{BreakerSettings, Breakers, Open},
    http::{Answer, Destinations, Http, HttpError, HttpLimits},
};

/// How long a delivery waits for its turn: long enough for a burst to a quick destination, short enough that those who
/// wait for a slow one do not hold the worker.
const TURN: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Too many deliveries to it are under way.
    #[error("{0} deliveries to it are under way already")]
    Crowded(usize),
    /// It failed too often lately.
    #[error(transparent)]
    Open(#[from] Open),
    /// The call itself.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// All couriers of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Couriers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    public: Http,
    any: Http,
    breakers: Breakers,
    limits: HttpLimits,
    in_flight: usize,
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Couriers {
    /// Couriers as the settings describe them.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn open(settings: &ForwardSettings) -> io::Result<Self> {
        let connect = settings.connect_timeout.min(settings.timeout);
        let public = match settings.allow.as_slice() {
            [] => Destinations::Public,
            networks => Destinations::PublicAnd(networks.into()),
        };
        Ok(Self(Arc::new(Inner {
            public: Http::new(connect, public)?,
            any: Http::new(connect, Destinations::Any)?,
            breakers: Breakers::new(BreakerSettings::new(settings.breaker_failures.into(), settings.breaker_pause)),
            limits: HttpLimits { total: settings.timeout, body: settings.answer_kept.bytes() },
            in_flight: usize::from(settings.in_flight),
            turns: Mutex::default(),
        })))
    }

    /// The breakers, for metrics and the console.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// Makes one delivery. Whether the destination failed is told to its breaker here.
    pub(super) async fn send(
        &self,
        destination: &Destination,
        private: bool,
        request: Request<Full<Bytes>>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        let Inner { public, any, breakers, limits, in_flight, .. } = &*self.0;
        let authority = destination.authority();
        let turns = self.turns(&authority);
        let Ok(Ok(_turn)) = tokio::time::timeout(TURN, turns.acquire()).await else {
            return Err(NoAnswer::Crowded(*in_flight));
        };
        let permit = breakers.of(&authority).admit(Instant::now())?;
        let http = if private { any } else { public };
        let answer = http.deliver(request, *limits, now).await;
        match &answer {
            Ok(answer) if answer.status.is_server_error() => permit.failed(Instant::now()),
            Ok(_) | Err(HttpError::TooLarge(_)) => permit.succeeded(),
            // Ours: says nothing about the destination.
            Err(HttpError::Request(_) | HttpError::Forbidden(_)) => drop(permit),
            Err(HttpError::Connect(_) | HttpError::Broken(_) | HttpError::TimedOut(_)) => permit.failed(Instant::now()),
        }
        Ok(answer?)
    }

    fn turns(&self, authority: &str) -> Arc<Semaphore> {
        // An insert is done or not done, even where a thread panicked with the lock.
        let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
        match turns.get(authority) {
            Some(turns) => Arc::clone(turns),
            None => {
                let fresh = Arc::new(Semaphore::new(self.0.in_flight));
                turns.insert(authority.to_owned(), Arc::clone(&fresh));
                fresh
            }
        }
    }
}
