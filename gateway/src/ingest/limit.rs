//! *Limit*: is this request small, prompt and plain enough to be looked at?
//!
//! In the contract's order: address, rate of the address, declared length, content type, credentials there at all, and
//! then the body, counted on the bytes that really arrive and against a deadline of its own. Never looks inside a body.

use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName},
    http::request::Parts,
};
use jiff::Timestamp;
use lychgate_common::source::{Request, Source};

use super::Trail;
use crate::{
    house::House,
    refusal::Refusal,
    routes::{Params, allowed},
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request whose head has arrived.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) source: &'a Source,
    pub(crate) address: IpAddr,
    pub(crate) received_at: Timestamp,
    pub(crate) head: Parts,
    params: Params,
    public_url: Option<String>,
}

/// A request within all limits, with its body.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    pub(crate) arrival: &'a Arrival<'a>,
    body: Bytes,
}

impl<'a> Arrival<'a> {
    pub(crate) fn new(house: &House, source: &'a Source, params: Params, head: Parts, peer: SocketAddr) -> Self {
        let address = client(peer.ip(), &head.headers, &house.settings.gateway.trusted_proxies);
        let of_all = house.settings.gateway.public_url.as_ref().map(|base| {
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            format!("{}{target}", base.as_str().trim_end_matches('/'))
        });
        let public_url = source.public_url().map(str::to_owned).or(of_all);
        Self { source, address, received_at: house.clock.now(), head, params, public_url }
    }

    /// What the source's rules are shown.
    pub(crate) fn request<'b>(&'b self, body: &'b Bytes) -> Request<'b> {
        Request {
            method: &self.head.method,
            uri: &self.head.uri,
            public_url: self.public_url.as_deref(),
            headers: &self.head.headers,
            params: &self.params,
            body,
            received_at: self.received_at,
        }
    }

    /// The caller's `traceparent`, where it has the form of one.
    pub(crate) fn traceparent(&self) -> Option<String> {
        let text = self.head.headers.get(TRACEPARENT)?.to_str().ok()?;
        let well_formed = text.len() == 55
            && text.starts_with("00-")
            && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        well_formed.then(|| text.to_owned())
    }
}

impl Admitted<'_> {
    pub(crate) fn request(&self) -> Request<'_> {
        self.arrival.request(&self.body)
    }
}

/// Whether the source takes from this address: from every one where it names none.
pub(crate) fn is_allowed(source: &Source, address: IpAddr) -> bool {
    let allowed = source.allow();
    allowed.is_empty() || allowed.iter().any(|net| net.contains(&address))
}

/// Whether anything at all may come from this address now.
pub(crate) fn address(house: &House, arrival: &Arrival<'_>) -> Result<(), Refusal> {
    let source = arrival.source;
    if !is_allowed(source, arrival.address) {
        return Err(Refusal::AddressForbidden);
    }
    house.throttle.admit(arrival.address)?;
    house.throttle.admit_client(source.name(), arrival.address)?;
    Ok(())
}

/// Lets a request through, or says what is too much about it.
pub(crate) async fn limit<'a>(
    house: &House,
    arrival: &'a Arrival<'a>,
    body: Incoming,
    trail: &mut Trail,
) -> Result<Admitted<'a>, Refusal> {
    let (source, headers) = (arrival.source, &arrival.head.headers);
    if !source.methods().contains(&arrival.head.method) {
        // Let in for a handshake that it then was not.
        return Err(Refusal::MethodNotAllowed(allowed(source)));
    }
    let most = source.max_body().min(house.settings.gateway.max_body.bytes());
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > most) {
        return Err(Refusal::TooLarge(most));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::Encoded);
    }
    if !source.accepts_content_type(headers.get(CONTENT_TYPE)) {
        return Err(Refusal::MediaType);
    }
    source.require_credentials(&arrival.request(&Bytes::new()))?;
    let body = read(body, declared, most, house).await?;
    trail.body = Some(body.clone());
    Ok(Admitted { arrival, body })
}

/// Reads the body to its end, its limit or its deadline, whichever comes first.
pub(crate) async fn read(
    mut body: Incoming,
    declared: Option<usize>,
    most: usize,
    house: &House,
) -> Result<Bytes, Refusal> {
    let deadline = house.settings.gateway.body_deadline;
    let reading = async {
        let mut first: Option<Bytes> = None;
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
            if all.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > most {
                return Err(Refusal::TooLarge(most));
            }
            // Most webhooks arrive in one piece, which is then not copied.
            match first.take() {
                None if all.is_empty() => first = Some(data),
                None => all.extend_from_slice(&data),
                Some(before) => {
                    all.reserve(declared.unwrap_or(before.len() + data.len()));
                    all.extend_from_slice(&before);
                    all.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| all.freeze()))
    };
    tokio::time::timeout(deadline, reading).await.map_err(|_| Refusal::BodySlow(deadline))?
}

/// The client's address: the peer's, unless that is a trusted proxy; then the rightmost address of `X-Forwarded-For`
/// that is not one. The leftmost is whatever the client chose to write.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[ipnet::IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let peer = peer.to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical())
        .find(|hop| !is_trusted(hop))
        .unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_the_last_stranger() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("1.1.1.1, 203.0.113.9"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("10.0.0.7"));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(client(ip("10.0.0.1"), &headers, &trusted), ip("203.0.113.9"));
        assert_eq!(client(ip("::ffff:10.0.0.1"), &headers, &trusted), ip("203.0.113.9"));
        assert_eq!(client(ip("198.51.100.4"), &headers, &trusted), ip("198.51.100.4"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("garbage"));
        assert_eq!(client(ip("10.0.0.1"), &headers, &trusted), ip("10.0.0.1"));
    }

    proptest! {
        #[test]
        fn what_a_stranger_writes_before_our_proxies_changes_nothing(
            written in proptest::collection::vec("[ -~]{0,40}", 0..5),
            stranger: [u8; 4],
            on_one_line: bool,
        ) {
            let trusted: [ipnet::IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
            let stranger = IpAddr::from(stranger);
            prop_assume!(!trusted[0].contains(&stranger));
            let proxies = format!("{stranger}, 10.1.2.3");
            let mut headers = HeaderMap::new();
            let last = if on_one_line { format!("{}, {proxies}", written.join(", ")) } else { proxies };
            for line in written.iter().filter(|_| !on_one_line).chain([&last]) {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
            }
            prop_assert_eq!(client(IpAddr::from([10, 0, 0, 1]), &headers, &trusted), stranger);
        }
    }
}
