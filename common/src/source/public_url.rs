//! The public URL as senders sign it: as it was given to them, with another spelling of its port, or partly decoded.
//!
//! It comes from the settings; nothing here looks at `Host`, which the sender chooses.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::{reading::Reading, refused::Refused};

/// A spelling of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlForm {
    /// As the sender was given it.
    AsGiven,
    /// With the scheme's usual port written out or left out, whichever was not given (Twilio signs either).
    OtherPort,
    /// With some characters percent-decoded, as HubSpot documents: all that need no encoding in a path, and no `%20`.
    Decoded,
}

/// What HubSpot decodes before it signs, by the table of its documentation.
const DECODED: [(&str, &str); 12] = [
    ("3A", ":"),
    ("2F", "/"),
    ("3F", "?"),
    ("40", "@"),
    ("21", "!"),
    ("24", "$"),
    ("27", "'"),
    ("28", "("),
    ("29", ")"),
    ("2A", "*"),
    ("2C", ","),
    ("3B", ";"),
];

/// Where a sender of JSON puts the digest of its body into the URL that it signs (Twilio).
const BODY_DIGEST: &str = "bodySHA256";

impl UrlForm {
    /// The URL in this spelling, with the request's query where that goes on where the configured one ends.
    pub(super) fn of(self, reading: &Reading<'_>) -> Result<String, Refused> {
        let url = as_given(reading)?;
        Ok(match self {
            Self::AsGiven => url,
            Self::OtherPort => other_port(&url),
            Self::Decoded => decoded(&url),
        })
    }
}

fn as_given(reading: &Reading<'_>) -> Result<String, Refused> {
    let request = reading.request();
    let base = request.public_url.ok_or(Refused::PublicUrlUnknown)?;
    let Some(query) = request.uri.query() else { return Ok(base.to_owned()) };
    Ok(match base.split_once('?') {
        None => format!("{base}?{query}"),
        Some((address, configured)) if query.starts_with(configured) => format!("{address}?{query}"),
        // Something between has rewritten it: what the sender was given counts.
        Some(_) => base.to_owned(),
    })
}

/// Whether the URL that is signed holds the digest of the body; `None` where it holds none at all.
pub(super) fn digest_in_url(reading: &Reading<'_>) -> Result<Option<bool>, Refused> {
    // Never the request's own query, of which the signature may say nothing.
    let url = as_given(reading)?;
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut digests = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == BODY_DIGEST);
    let Some((_, claimed)) = digests.next() else { return Ok(None) };
    if digests.next().is_some() {
        return Ok(Some(false));
    }
    let digest = hex::encode(Sha256::digest(reading.body()));
    Ok(Some(digest.as_bytes().ct_eq(claimed.to_ascii_lowercase().as_bytes()).into()))
}

fn other_port(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    match host.strip_suffix(usual) {
        Some(bare) => format!("{scheme}://{bare}{path}"),
        // A port of one's own stays as it is; an IPv6 address ends in `]` without one.
        None if host.rsplit(']').next().is_some_and(|end| end.contains(':')) => url.to_owned(),
        None => format!("{scheme}://{host}{usual}{path}"),
    }
}

fn decoded(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    let mut pieces = url.split('%');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let known = DECODED.iter().find(|(code, _)| piece.get(..2).is_some_and(|at| at.eq_ignore_ascii_case(code)));
        match known {
            Some((code, character)) => {
                text.push_str(character);
                text.push_str(piece.get(code.len()..).unwrap_or_default());
            }
            None => {
                text.push('%');
                text.push_str(piece);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hubspot_decodes_is_decoded() {
        assert_eq!(decoded("https://a.b/x%3ay%2Fz%20%41?e=%40%25"), "https://a.b/x:y/z%20%41?e=@%25");
        assert_eq!(decoded("%"), "%");
        assert_eq!(decoded("https://a.b/%é3A"), "https://a.b/%é3A");
    }

    #[test]
    fn the_usual_port_is_written_out_or_left_out() {
        for (given, other) in [
            ("https://a.b/x?y=:1", "https://a.b:443/x?y=:1"),
            ("https://a.b:443/x", "https://a.b/x"),
            ("http://a.b", "http://a.b:80"),
            ("https://[::1]/x", "https://[::1]:443/x"),
            ("https://a.b:8443/x", "https://a.b:8443/x"),
        ] {
            assert_eq!(other_port(given), other);
        }
    }
}
