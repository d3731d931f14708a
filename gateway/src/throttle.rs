//! How much anyone may send: per client address, per failed authentication, per source.
//!
//! The counting is `governor`'s. A source's share is counted after authentication, so that a stranger cannot use it up;
//! failures count against the address that made them. An IPv6 client has 2^64 addresses, so its network stands for it.
//! Nothing here answers anybody.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use lychgate_common::{
    live::Live,
    settings::{GatewaySettings, OnLimit, Rate, RateLimit},
    source::Source,
};

use crate::refusal::Refusal;

/// Addresses that are remembered as having failed too often, at most: past it the oldest news is forgotten.
const BLOCKED_LIMIT: usize = 10_000;

/// All of the gateway's rate limits.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: DefaultClock,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    failures: Option<DefaultKeyedRateLimiter<IpAddr>>,
    blocked: Mutex<HashMap<IpAddr, Instant>>,
    sources: Live<HashMap<Arc<str>, Arc<SourceShare>>>,
    clients: Live<HashMap<Arc<str>, Arc<ClientShare>>>,
}

/// One source's limit, and where its deferred events queue up.
#[derive(Debug)]
struct SourceShare {
    rate: Rate,
    limiter: DefaultDirectRateLimiter,
    /// The time between two events at the limit's rate.
    each: Duration,
    /// When the last deferred event is to be processed: the next one comes `each` later.
    deferred_to: Mutex<Instant>,
}

/// The limit of each address at one source.
#[derive(Debug)]
struct ClientShare {
    rate: Rate,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
}

/// What a source's limit says to one more event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Share {
    /// It is within.
    Within,
    /// Over, and the source's events are deferred rather than refused: process it this much later.
    Deferred(Duration),
}

impl Throttle {
    pub(crate) fn new(settings: &GatewaySettings, sources: &[Source]) -> Self {
        Self {
            clock: DefaultClock::default(),
            addresses: keyed(&settings.address_rate),
            failures: keyed(&settings.refused_rate),
            blocked: Mutex::default(),
            sources: Live::new(shares(sources, &HashMap::new())),
            clients: Live::new(clients(sources, &HashMap::new())),
        }
    }

    /// Other sources are in force. One whose limit is the same goes on counting where it was.
    pub(crate) fn reload(&self, sources: &[Source]) {
        self.sources.swap(shares(sources, &self.sources.load()));
        self.clients.swap(clients(sources, &self.clients.load()));
    }

    /// One more request from an address.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = client(address);
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if !blocked.is_empty()
            && let Some(until) = blocked.get(&address)
        {
            match until.checked_duration_since(Instant::now()) {
                Some(wait) if !wait.is_zero() => return Err(Refusal::AddressLimited(wait)),
                Some(_) | None => blocked.remove(&address),
            };
        }
        drop(blocked);
        match &self.addresses {
            Some(limiter) => limiter
                .check_key(&address)
                .map_err(|not_until| Refusal::AddressLimited(not_until.wait_time_from(self.clock.now()))),
            None => Ok(()),
        }
    }

    /// One more request from an address to a source that limits each client.
    pub(crate) fn admit_client(&self, source: &str, address: IpAddr) -> Result<(), Refusal> {
        let Some(share) = self.clients.load().get(source).cloned() else { return Ok(()) };
        let checked = share.limiter.check_key(&client(address));
        checked.map_err(|not_until| Refusal::AddressLimited(not_until.wait_time_from(self.clock.now())))
    }

    /// An address has failed to authenticate.
    pub(crate) fn failed(&self, address: IpAddr) {
        let address = client(address);
        let Some(limiter) = &self.failures else { return };
        let Err(not_until) = limiter.check_key(&address) else { return };
        let until = Instant::now() + not_until.wait_time_from(self.clock.now());
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.len() >= BLOCKED_LIMIT {
            let now = Instant::now();
            blocked.retain(|_, until| *until > now);
            if blocked.len() >= BLOCKED_LIMIT {
                blocked.clear();
            }
        }
        blocked.insert(address, until);
    }

    /// One more event of an authenticated source.
    pub(crate) fn share(&self, source: &str) -> Result<Share, Refusal> {
        let Some(share) = self.sources.load().get(source).cloned() else { return Ok(Share::Within) };
        let Err(not_until) = share.limiter.check() else { return Ok(Share::Within) };
        let wait = not_until.wait_time_from(self.clock.now());
        match share.rate.on_limit {
            OnLimit::Reject => Err(Refusal::SourceLimited(wait)),
            OnLimit::Defer => {
                let now = Instant::now();
                let mut deferred_to = share.deferred_to.lock().unwrap_or_else(PoisonError::into_inner);
                *deferred_to = (*deferred_to + share.each).max(now + wait);
                Ok(Share::Deferred(*deferred_to - now))
            }
        }
    }

    /// Forgets addresses that have been quiet: called now and then, so that memory stays bounded.
    pub(crate) fn tidy(&self) {
        for limiter in [&self.addresses, &self.failures].into_iter().flatten() {
            limiter.retain_recent();
        }
        self.clients.load().values().for_each(|share| share.limiter.retain_recent());
    }
}

/// Who is counted: an IPv4 address, or the /64 that one IPv6 client is given.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

fn keyed(limit: &RateLimit) -> Option<DefaultKeyedRateLimiter<IpAddr>> {
    match limit {
        RateLimit::Off => None,
        RateLimit::On(rate) => Some(RateLimiter::keyed(quota(each(rate.requests, rate.per), rate.burst))),
    }
}

/// Each source's share: the one before where its limit has not changed.
fn shares(sources: &[Source], before: &HashMap<Arc<str>, Arc<SourceShare>>) -> HashMap<Arc<str>, Arc<SourceShare>> {
    let share = |source: &Source| {
        let rate = *source.rate_limit()?;
        let same = before.get(source.name()).filter(|share| share.rate == rate);
        let share = same.cloned().unwrap_or_else(|| {
            let each = each(rate.requests, rate.per);
            let limiter = RateLimiter::direct(quota(each, rate.burst));
            Arc::new(SourceShare { rate, limiter, each, deferred_to: Mutex::new(Instant::now()) })
        });
        Some((source.name().clone(), share))
    };
    sources.iter().filter_map(share).collect()
}

/// Each source's limit of its clients: the one before where it has not changed.
fn clients(sources: &[Source], before: &HashMap<Arc<str>, Arc<ClientShare>>) -> HashMap<Arc<str>, Arc<ClientShare>> {
    let share = |source: &Source| {
        let rate = *source.client_rate_limit()?;
        let same = before.get(source.name()).filter(|share| share.rate == rate);
        let share = same.cloned().unwrap_or_else(|| {
            let limiter = RateLimiter::keyed(quota(each(rate.requests, rate.per), rate.burst));
            Arc::new(ClientShare { rate, limiter })
        });
        Some((source.name().clone(), share))
    };
    sources.iter().filter_map(share).collect()
}

/// The time between two requests at the limit's rate.
fn each(requests: u32, per: Duration) -> Duration {
    (per / requests.max(1)).max(Duration::from_nanos(1))
}

fn quota(each: Duration, burst: u32) -> Quota {
    let one = NonZeroU32::MIN;
    Quota::with_period(each).unwrap_or(Quota::per_second(one)).allow_burst(NonZeroU32::new(burst).unwrap_or(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_too_often_is_shut_out_and_others_are_not() {
        let settings = GatewaySettings {
            refused_rate: RateLimit::rejecting(2, Duration::from_secs(3600), 2),
            ..GatewaySettings::default()
        };
        let throttle = Throttle::new(&settings, &[]);
        let (mallory, alice) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..2 {
            throttle.failed(mallory);
            assert_eq!(throttle.admit(mallory), Ok(()));
        }
        throttle.failed(mallory);
        assert!(matches!(throttle.admit(mallory), Err(Refusal::AddressLimited(_))));
        assert_eq!(throttle.admit(alice), Ok(()));
    }

    #[test]
    fn all_addresses_of_an_ipv6_client_are_one() {
        let settings = GatewaySettings {
            refused_rate: RateLimit::rejecting(1, Duration::from_secs(3600), 1),
            ..GatewaySettings::default()
        };
        let throttle = Throttle::new(&settings, &[]);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        throttle.failed(ip("2001:db8:1:2::1"));
        throttle.failed(ip("2001:db8:1:2:ffff::7"));
        assert!(matches!(throttle.admit(ip("2001:db8:1:2:3:4:5:6")), Err(Refusal::AddressLimited(_))));
        assert_eq!(throttle.admit(ip("2001:db8:1:3::1")), Ok(()));
    }
}
