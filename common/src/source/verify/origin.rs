//! Pages that may call from browsers: the request's `Origin` is on a list.
//!
//! A browser sets the header truthfully and its page cannot change it, so this keeps other sites' pages out. It proves
//! nothing about a client that is no browser: sources like this take only what anybody may say.

use thiserror::Error;
use url::Url;

use super::super::{place::Place, refused::Refused, request::Authentic};

/// Where browsers write it.
pub(super) static AT: [Place; 1] = [Place::header("origin")];

/// One origin as browsers send it: `https://shop.example.com`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(String);

/// A text that is no origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("must be an origin such as \"https://shop.example.com\": scheme, host and perhaps a port, nothing after it")]
pub struct OriginFault;

impl Origin {
    /// Reads an origin as it stands in the settings, and brings it into the form that browsers send.
    ///
    /// # Errors
    /// Anything but http or https with a host, and anything after that.
    pub fn parse(text: &str) -> Result<Self, OriginFault> {
        let url = Url::parse(text).map_err(|_| OriginFault)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !plain {
            return Err(OriginFault);
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// As browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The list of one source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Whose pages may call.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// All of them.
    pub fn all(&self) -> &[Origin] {
        &self.0
    }

    /// Whether pages of this origin may call.
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed.as_str() == origin)
    }

    /// The origin itself is what was used: an operator sees when each last called.
    pub(super) fn verify(&self, offered: &str) -> Result<Authentic, Refused> {
        if !self.allow(offered) {
            return Err(Refused::OriginForbidden);
        }
        Ok(Authentic { secret: offered.to_owned(), payload: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_send_it_and_compared_whole() {
        let origin = |text| Origin::parse(text).map(|origin| origin.as_str().to_owned());
        assert_eq!(origin("https://Shop.Example.com:443/"), Ok("https://shop.example.com".to_owned()));
        assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".to_owned()));
        for bad in ["*", "null", "shop.example.com", "https://a.example/b", "https://u@a.example", "ftp://a.example"] {
            assert_eq!(origin(bad), Err(OriginFault), "{bad}");
        }
        let list = Origins::new(vec![Origin::parse("https://shop.example.com").unwrap()]);
        assert!(list.allow("https://shop.example.com"));
        for other in
            ["https://shop.example.com.evil.example", "http://shop.example.com", "https://shop.example", "null"]
        {
            assert!(!list.allow(other), "{other}");
        }
    }
}
