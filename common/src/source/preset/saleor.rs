//! Saleor: `Saleor-Signature` is a token whose payload is the body itself (RFC 7797), RS256, by a key that the shop
//! publishes at `/.well-known/jwks.json`.
//!
//! Name that address (`jwt.jwks`): every shop has a key of its own. Webhooks with a `secretKey`, which Saleor deprecates,
//! are signed otherwise and not taken. The body is what the webhook's query asks for and has no id: an event is known by
//! its body, if the query asks for `issuedAt`; without a time in it, equal bodies are as many events. The type stands in
//! a header, which nothing signs.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Jws, JwsAlgorithm, JwsAt, JwsPayload, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "saleor", profile, sample };

/// The time in the body: of a query of one's own, and of the bodies that Saleor makes up without one.
const ISSUED: [&str; 2] = ["/issuedAt", "/0/meta/issued_at"];

fn profile() -> Profile {
    let jws = Jws {
        at: JwsAt::Places(vec![Place::header("saleor-signature")]),
        payload: JwsPayload::Detached,
        algorithms: vec![JwsAlgorithm::Rs256],
        expires: false,
        ..Jws::bearer()
    };
    let [own, made_up] = ISSUED.map(|at| (Place::field(at), TimeForm::Rfc3339));
    Profile {
        naming: Naming {
            json: true,
            key: ISSUED.map(|at| KeyAt::BodyHashIf(Place::field(at))).to_vec(),
            kind: KindRule { at: vec![Place::header("saleor-event")], ..KindRule::default() },
            occurred_at: Some(own),
            occurred_at_or: vec![made_up],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/saleor"), Verifier::Jws(jws))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "issuedAt": draft.time(), "version": "3.23.0",
        "order": {"id": draft.subject_or("T3JkZXI6MQ=="), "number": "1", "metadata": [{"key": "event", "value": draft.id}]},
    })
}
