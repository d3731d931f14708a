//! The presets: filled-in profiles of real senders, one file each, listed in one place.
//!
//! Each is proven by a literal vector of its sender's. A new sender is a new file and a line in [`ALL`].

mod adyen;
mod asana;
mod aws_sns;
mod bearer_jwt;
mod calendly;
mod canvas;
mod cloudevents;
mod discord;
mod doppler;
mod dropbox;
mod faithflow;
mod generic;
mod github;
mod gitlab_token;
mod hubspot;
mod intercom;
mod internal;
mod lemonsqueezy;
mod linear;
mod lti;
mod mailgun;
mod meta;
mod microsoft_graph;
mod moodle;
mod paddle;
mod pagerduty;
mod paypal;
mod plaid;
mod platform;
mod razorpay;
mod saleor;
mod sanity;
mod sendgrid;
mod service;
mod shopify;
mod slack;
mod social_share;
mod square;
mod standard_webhooks;
mod stripe;
mod systeme_ibam;
mod systemeio;
mod systemeio_automation;
mod trello;
mod twilio;
mod twitch;
mod typeform;
mod woocommerce;
mod workos;
mod x;
mod xero;
mod zoom;

use serde_json::Value;

use super::{path::PathPattern, profile::Profile, sample::Draft};

/// A sender we know.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in the settings.
    pub name: &'static str,
    /// Its record.
    pub profile: fn() -> Profile,
    /// A body such as it sends.
    pub(super) sample: fn(&Draft<'_>) -> Value,
}

/// Every preset, by name.
pub const ALL: &[Preset] = &[
    adyen::PRESET,
    adyen::PLATFORM,
    asana::PRESET,
    aws_sns::PRESET,
    bearer_jwt::PRESET,
    calendly::PRESET,
    canvas::PRESET,
    standard_webhooks::CLERK,
    cloudevents::PRESET,
    discord::PRESET,
    doppler::PRESET,
    dropbox::PRESET,
    faithflow::PRESET,
    generic::PRESET,
    github::PRESET,
    standard_webhooks::GITLAB,
    gitlab_token::PRESET,
    hubspot::PRESET,
    intercom::PRESET,
    internal::PRESET,
    lemonsqueezy::PRESET,
    linear::PRESET,
    lti::PRESET,
    mailgun::PRESET,
    meta::PRESET,
    microsoft_graph::PRESET,
    moodle::PRESET,
    standard_webhooks::OPENAI,
    paddle::PRESET,
    pagerduty::PRESET,
    paypal::PRESET,
    plaid::PRESET,
    platform::PRESET,
    standard_webhooks::POLAR,
    razorpay::PRESET,
    standard_webhooks::RESEND,
    saleor::PRESET,
    sanity::PRESET,
    sendgrid::PRESET,
    service::PRESET,
    shopify::PRESET,
    slack::PRESET,
    social_share::PRESET,
    square::PRESET,
    standard_webhooks::PRESET,
    stripe::PRESET,
    standard_webhooks::SVIX,
    systeme_ibam::CHURCH_LEADER,
    systeme_ibam::MEMBERSHIP,
    systemeio::PRESET,
    systemeio_automation::PRESET,
    trello::PRESET,
    twilio::PRESET,
    twitch::PRESET,
    typeform::PRESET,
    woocommerce::PRESET,
    workos::PRESET,
    x::PRESET,
    xero::PRESET,
    zoom::PRESET,
];

/// What a source of one's own starts from.
pub const GENERIC: Preset = generic::PRESET;

/// The preset of this name.
pub fn named(name: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.name == name)
}

/// A path known to be good because it stands in a preset.
#[allow(clippy::expect_used)]
fn path(text: &'static str) -> PathPattern {
    // Cannot fail in a build that was tested: every preset is built by a test.
    PathPattern::parse(text).expect("a preset's path is a pattern")
}
