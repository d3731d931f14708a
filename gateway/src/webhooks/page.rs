//! The pages under `/v2/webhooks`, and what may be done at each.

use hyper::Method;

const ROOT: &str = "/v2/webhooks";

/// A page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Page<'a> {
    /// All webhooks.
    All,
    /// One of them.
    One(&'a str),
    /// Where an example is asked for.
    Test,
    /// Where one gets a new secret.
    RotateSecret(&'a str),
    /// The deliveries of one.
    Deliveries(&'a str),
    /// One of these.
    Delivery(&'a str, &'a str),
    /// Where that is made once more.
    Resend(&'a str, &'a str),
}

impl<'a> Page<'a> {
    /// The page of a path; `None` where it is none of ours.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        let steps: Vec<&str> = below.split('/').skip(1).collect();
        if steps.iter().any(|step| step.is_empty()) {
            return None;
        }
        Some(match (below.is_empty(), steps.as_slice()) {
            (true, _) => Self::All,
            (false, ["test"]) => Self::Test,
            (false, [id]) => Self::One(id),
            (false, [id, "rotate-secret"]) => Self::RotateSecret(id),
            (false, [id, "deliveries"]) => Self::Deliveries(id),
            (false, [id, "deliveries", delivery]) => Self::Delivery(id, delivery),
            (false, [id, "deliveries", delivery, "resend"]) => Self::Resend(id, delivery),
            (false, _) => return None,
        })
    }

    /// What may be done there.
    pub(crate) fn methods(&self) -> &'static [Method] {
        match self {
            Self::All => &[Method::GET, Method::POST],
            Self::One(_) => &[Method::GET, Method::PUT, Method::DELETE],
            Self::Test | Self::RotateSecret(_) | Self::Resend(..) => &[Method::POST],
            Self::Deliveries(_) | Self::Delivery(..) => &[Method::GET],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_pages_and_nowhere_else() {
        assert_eq!(Page::of("/v2/webhooks"), Some(Page::All));
        assert_eq!(Page::of("/v2/webhooks/test"), Some(Page::Test));
        assert_eq!(Page::of("/v2/webhooks/w"), Some(Page::One("w")));
        assert_eq!(Page::of("/v2/webhooks/w/deliveries/d/resend"), Some(Page::Resend("w", "d")));
        for other in ["/v2/webhooksx", "/v2/webhooks/", "/v2/webhooks/w/x", "/v2/webhooks//deliveries", "/v2"] {
            assert_eq!(Page::of(other), None, "{other}");
        }
    }
}
