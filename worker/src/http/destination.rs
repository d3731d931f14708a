//! Which addresses we call: a URL that a stranger gave must not lead into our own network.
//!
//! Checked where the connection is made, on the very address that is connected to, so that a name which resolves to
//! something else the second time gains nothing.

use std::{
    error::Error,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower_service::Service;

/// Where calls may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destinations {
    /// Addresses of the public internet only.
    Public,
    /// The public internet and these networks.
    PublicAnd(Arc<[IpNet]>),
    /// Private and loopback addresses too: for a system in the same network.
    Any,
}

/// An address that may not be called.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} has no public address, and calls into private networks are not allowed")]
pub struct Forbidden(String);

impl Forbidden {
    /// The reason at the bottom of a connection's error, where it is this one.
    pub(super) fn beneath(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut beneath = Some(error);
        while let Some(error) = beneath {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let found = inner.and_then(|inner| inner.downcast_ref::<Self>()).or_else(|| error.downcast_ref::<Self>());
            if let Some(forbidden) = found {
                return Some(forbidden.clone());
            }
            beneath = error.source();
        }
        None
    }
}

impl Destinations {
    /// Whether this address may be called.
    pub fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public => is_public(address),
            Self::PublicAnd(networks) => {
                is_public(address) || networks.iter().any(|network| network.contains(&address))
            }
        }
    }

    /// Refuses a URL whose host is an address that may not be called: no name, so the resolver never sees it.
    pub(super) fn check_literal(&self, uri: &Uri) -> Result<(), Forbidden> {
        let host = uri.host().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.allows(address) => Err(Forbidden(host.to_owned())),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Looks names up, and keeps of their addresses only those that may be called.
#[derive(Clone, Debug)]
pub(super) struct Resolver(pub(super) Destinations);

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let destinations = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| destinations.allows(address.ip())).collect();
            match allowed.is_empty() {
                true => Err(io::Error::other(Forbidden(name.to_string()))),
                false => Ok(allowed.into_iter()),
            }
        })
    }
}

/// Whether an address belongs to the public internet (IANA's special-purpose registries say which do not).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carriers' shared space, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments, RFC 6890
        || (a == 192 && b == 88 && c == 99) // 6to4 relays, RFC 7526
        || (a == 198 && (18..20).contains(&b)); // benchmarks, RFC 2544
    !special
}

/// Global unicast is 2000::/3; out of it, what carries an IPv4 address within is judged by that, and tunnels by none.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        let [high, low] = [g.to_be_bytes(), h.to_be_bytes()];
        return is_public_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]));
    }
    let tunnel_or_documentation =
        a == 0x2002 || (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000);
    (a & 0xe000) == 0x2000 && !tunnel_or_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::127.0.0.1",
        ] {
            assert!(!Destinations::Public.allows(private.parse().unwrap()), "{private}");
            assert!(Destinations::Any.allows(private.parse().unwrap()));
        }
        for public in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(Destinations::Public.allows(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_network_that_is_listed_may_be_called_and_its_neighbour_may_not() {
        let listed = Destinations::PublicAnd(["10.1.0.0/16".parse().unwrap()].into());
        for (address, allowed) in [("10.1.2.3", true), ("10.2.0.1", false), ("1.1.1.1", true), ("127.0.0.1", false)] {
            assert_eq!(listed.allows(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn an_address_in_the_url_is_checked_although_it_is_never_resolved() {
        for uri in ["http://127.0.0.1:80/", "https://[::1]/api", "http://169.254.169.254/latest"] {
            assert!(Destinations::Public.check_literal(&uri.parse().unwrap()).is_err(), "{uri}");
        }
        assert!(Destinations::Public.check_literal(&"https://example.com/".parse().unwrap()).is_ok());
    }
}
