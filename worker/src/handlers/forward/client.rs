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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    breaker::{BreakerSettings, Breakers, Open, Permit},
    http::{Answer, Destinations, Http, HttpError, HttpLimits},
};

/// How long a delivery waits for its turn: long enough for a burst to a quick destination, short enough that those who
/// wait for a slow one do not hold the worker.
const TURN: Duration = Duration::from_secs(1);

/// For how long a destination counts as slow where somebody has waited for it in vain, so that a heap of deliveries to it
/// does not hold the worker a second each.
const SLOW: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::handlers) enum NoAnswer {
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

/// Leave to make one delivery to a destination. Dropped unused, it counts for nothing.
#[derive(Debug)]
#[must_use = "it keeps others waiting"]
pub(in crate::handlers) struct Turn {
    couriers: Couriers,
    permit: Permit,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Inner {
    public: Http,
    any: Http,
    breakers: Breakers,
    limits: HttpLimits,
    in_flight: usize,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

/// What is under way to one destination.
#[derive(Debug)]
struct Lane {
    turns: Arc<Semaphore>,
    /// Somebody has waited in vain: until then nobody waits.
    slow_until: Mutex<Option<Instant>>,
}

impl Couriers {
    /// Couriers as the settings describe them, with so many deliveries under way to one destination.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn open(settings: &ForwardSettings, in_flight: u16) -> io::Result<Self> {
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
            in_flight: usize::from(in_flight),
            lanes: Mutex::default(),
        })))
    }

    /// The breakers, for metrics and the console.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// Makes one delivery, as soon as it is its destination's turn.
    pub(super) async fn send(
        &self,
        destination: &Destination,
        private: bool,
        request: Request<Full<Bytes>>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        self.turn(&destination.authority()).await?.deliver(private, request, now).await
    }

    /// Waits a moment for a turn at a destination, and asks its breaker.
    pub(in crate::handlers) async fn turn(&self, destination: &str) -> Result<Turn, NoAnswer> {
        let place = self.lane(destination).place().await.ok_or(NoAnswer::Crowded(self.0.in_flight))?;
        let permit = self.0.breakers.of(destination).admit(Instant::now())?;
        Ok(Turn { couriers: self.clone(), permit, _place: place })
    }

    fn lane(&self, destination: &str) -> Arc<Lane> {
        // An insert is done or not done, even where a thread panicked with the lock.
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match lanes.get(destination) {
            Some(lane) => Arc::clone(lane),
            None => {
                let turns = Arc::new(Semaphore::new(self.0.in_flight));
                let fresh = Arc::new(Lane { turns, slow_until: Mutex::default() });
                lanes.insert(destination.to_owned(), Arc::clone(&fresh));
                fresh
            }
        }
    }
}

impl Lane {
    /// A place among those under way, now or within [`TURN`]; at a slow destination now or not at all.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // A moment is whole even where a thread panicked with the lock.
        let slow_until = || self.slow_until.lock().unwrap_or_else(PoisonError::into_inner);
        match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) if slow_until().is_some_and(|until| Instant::now() < until) => None,
            Err(_) => match tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await {
                Ok(place) => place.ok(),
                Err(_) => {
                    *slow_until() = Some(Instant::now() + SLOW);
                    None
                }
            },
        }
    }
}

impl Turn {
    /// Makes the delivery. Whether the destination failed is told to its breaker here.
    pub(in crate::handlers) async fn deliver(
        self,
        private: bool,
        request: Request<Full<Bytes>>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        let Self { couriers, permit, _place } = self;
        let Inner { public, any, limits, .. } = &*couriers.0;
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
}
