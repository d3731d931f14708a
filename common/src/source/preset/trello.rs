//! Trello: `X-Trello-Webhook`, HMAC-SHA1 in base64 over the body and the callback's URL, with the application's secret.
//!
//! Trello makes a webhook only where a HEAD of the URL is answered 200.

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::HandshakeRule,
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        public_url::UrlForm,
        sample::Draft,
        template::{Piece, Template},
        time::TimeForm,
        verify::{Accepted, Algorithm, Encoding, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "trello", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        accepted: vec![Accepted { label: None, algorithm: Algorithm::Hmac(Hash::Sha1) }],
        signed: Template::of([Piece::Body, Piece::Url(UrlForm::AsGiven)]),
        ..Scheme::hmac_body(Place::header("x-trello-webhook"), SignatureForm::Bare)
    };
    Profile {
        handshakes: vec![HandshakeRule::probe(Method::HEAD)],
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/action/id"))],
            kind: KindRule { at: vec![Place::field("/action/type")], ..KindRule::default() },
            subject: vec![Place::field("/model/id")],
            occurred_at: Some((Place::field("/action/date"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/action/id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/trello"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "action": {"id": draft.id, "type": draft.kind, "date": draft.time(), "data": {"board": {"name": "Gate"}}},
        "model": {"id": draft.subject_or("4d5ea62fd76aa1136000000c"), "name": "Gate"},
    })
}
