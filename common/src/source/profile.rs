//! The record that every source is: who may send, how a request is authenticated, what identifies an event, its type,
//! what the sender is answered. A preset is a filled-in profile; a source of one's own is the same record typed by hand.
//!
//! Only data. What is done with it stands in the files beside.

use std::{sync::Arc, time::Duration};

use hyper::Method;
use ipnet::IpNet;

use super::{
    forward::Forward,
    handshake::HandshakeRule,
    identify::Naming,
    key::KeyForm,
    limits::{ContentTypes, DEFAULT_BODY_LIMIT, OnConflict},
    path::PathPattern,
    reply::Reply,
    verify::Verifier,
};
use crate::{secret::Secret, settings::RateLimit};

/// Everything there is to know about a source but its name and keys.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The preset it was made from.
    pub preset: Arc<str>,
    /// Where it listens.
    pub path: PathPattern,
    /// The methods it answers.
    pub methods: Vec<Method>,
    /// The content types it takes.
    pub content_types: ContentTypes,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Addresses it may come from; empty for any.
    pub allow: Vec<IpNet>,
    /// How many requests it may make.
    pub rate_limit: RateLimit,
    /// How many requests one client's address may make.
    pub client_rate_limit: RateLimit,
    /// How a request is authenticated.
    pub verifier: Verifier,
    /// How its keys are written.
    pub key_form: KeyForm,
    /// Its keys are looked up in the store, by tenant.
    pub keys_by_tenant: bool,
    /// The contract fixes the words: a refused signature is never more than "Invalid webhook signature", and a missing
    /// field is called by its name.
    pub terse: bool,
    /// Requests answered on the spot.
    pub handshakes: Vec<HandshakeRule>,
    /// What a sender shows that asks whether this is the right place, before it signs anything (Meta).
    pub verify_tokens: Vec<Secret>,
    /// The whole address that the sender was given, where that is not `gateway.public_url` with the path.
    pub public_url: Option<Arc<str>>,
    /// What identifies an event, and how it is named.
    pub naming: Naming,
    /// Top-level fields of the body that hold a secret, and are emptied before anything is stored.
    pub redact: &'static [&'static str],
    /// What a second body under a known key means.
    pub on_conflict: OnConflict,
    /// How long the answer waits for the outcome; `None` for not at all.
    pub wait: Option<Duration>,
    /// What an accepted request is answered.
    pub reply: Reply,
    /// Where accepted events are forwarded, if they are.
    pub forward: Option<Forward>,
}

impl Profile {
    /// What most presets have in common: POST, JSON, keys as text, a plain answer.
    pub fn new(preset: &str, path: PathPattern, verifier: Verifier) -> Self {
        Self {
            preset: preset.into(),
            path,
            methods: vec![Method::POST],
            content_types: ContentTypes::Json,
            max_body: DEFAULT_BODY_LIMIT,
            allow: Vec::new(),
            rate_limit: RateLimit::Off,
            client_rate_limit: RateLimit::Off,
            verifier,
            key_form: KeyForm::Text,
            keys_by_tenant: false,
            terse: false,
            handshakes: Vec::new(),
            verify_tokens: Vec::new(),
            public_url: None,
            naming: Naming { json: true, ..Naming::default() },
            redact: &[],
            on_conflict: OnConflict::Reject,
            wait: None,
            reply: Reply::default(),
            forward: None,
        }
    }
}
