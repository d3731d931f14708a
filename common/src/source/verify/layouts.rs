//! Signature layouts that several senders share, as schemes that presets start from.
//!
//! Only those that more than one preset has; a layout of a single sender stands in its preset.

use super::{
    super::{
        place::Place,
        template::{Piece, Template},
        time::{Freshness, TimeForm},
    },
    Accepted, Algorithm, BodyVariant, Encoding, Hash, Scheme, SignatureForm,
};

impl Scheme {
    /// HMAC-SHA256 in hex over the body alone, in one header: what most senders do, and what presets start from.
    pub fn hmac_body(at: Place, form: SignatureForm) -> Self {
        Self {
            at: vec![at],
            form,
            encoding: Encoding::Hex,
            accepted: vec![Accepted { label: None, algorithm: Algorithm::Hmac(Hash::Sha256) }],
            signed: Template::body(),
            or_signed: Vec::new(),
            each: None,
            variant: BodyVariant::Raw,
            id: Vec::new(),
            fresh: None,
        }
    }

    /// Stripe's layout, which others have taken over: `t=…,v1=…` in one header, HMAC-SHA256 in hex over `{t}.{body}`.
    pub fn hmac_pairs(at: Place, time: TimeForm) -> Self {
        Self {
            accepted: vec![Accepted { label: Some("v1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) }],
            signed: Template::of([Piece::Time, Piece::text("."), Piece::Body]),
            fresh: Some(Freshness::at_label("t", time)),
            ..Self::hmac_body(at, SignatureForm::Pairs { between: ',', within: '=' })
        }
    }

    /// Slack's layout, which is Zoom's too: `v0=…` in one header, the time in another, over `v0:{time}:{body}`.
    pub fn hmac_v0(at: Place, time_at: &'static str) -> Self {
        Self {
            signed: Template::of([Piece::text("v0:"), Piece::Time, Piece::text(":"), Piece::Body]),
            fresh: Some(Freshness::at_header(time_at, TimeForm::Seconds)),
            ..Self::hmac_body(at, SignatureForm::Prefix { prefix: "v0=".into(), optional: false })
        }
    }
}
