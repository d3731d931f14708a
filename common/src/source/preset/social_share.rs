//! Social sharing (document E): pages of SleekApp tell what a visitor shared, from the browser.
//!
//! There is no secret that a browser could keep; who may call is a list of origins, and each address has a limit of its
//! own. Nothing identifies a share but an `Idempotency-Key` that the page may send.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{Check, KeyAt, KindRule, Naming, Shape},
        limits::ContentTypes,
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Origins, Verifier},
    },
    Preset, path,
};
use crate::settings::RateLimit;

pub(super) const PRESET: Preset = Preset { name: "social-share", profile, sample };

const KIND: &str = "social.share";

/// A share is a few hundred bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// Nobody shares more often by hand; a household behind one address does not either.
const PER_ADDRESS: RateLimit = RateLimit::rejecting(60, Duration::from_secs(60), 20);

/// What a share is of or where it went, in every spelling that the handler knows: one of these it must say.
const SHARED: [&str; 15] = [
    "/platform",
    "/url",
    "/network",
    "/social_platform",
    "/socialPlatform",
    "/share_url",
    "/shareUrl",
    "/shared_url",
    "/page_url",
    "/content_id",
    "/contentId",
    "/product_id",
    "/productId",
    "/referrer",
    "/referer",
];

fn profile() -> Profile {
    Profile {
        max_body: BODY_LIMIT,
        // `navigator.sendBeacon` sends text/plain; the body is checked to be JSON all the same.
        content_types: ContentTypes::Only(&["application/json", "text/plain"]),
        client_rate_limit: PER_ADDRESS,
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::header("idempotency-key"))],
            kind: KindRule { known: &[KIND], fallback: Some(KIND.into()), ..KindRule::default() },
            checks: vec![Check::any_of(&[KIND], &SHARED, Shape::Text)],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/track-social-share"), Verifier::Origin(Origins::default()))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "platform": "facebook", "url": "https://shop.example.com/products/7", "content_type": "product",
        "content_id": draft.subject_or("product_7"), "referrer": "https://shop.example.com/",
    })
}
