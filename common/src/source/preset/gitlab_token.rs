//! GitLab with a secret token: `X-Gitlab-Token` is the secret itself, so nothing in the request is signed. Who captured
//! one has the token and can write bodies of their own, so equal bodies are not guarded: they are events like others.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Token, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "gitlab-token", profile, sample };

/// GitLab's own limit for a payload, in bytes.
pub(super) const BODY_LIMIT: usize = 25 * 1024 * 1024;

fn profile() -> Profile {
    let verifier = Verifier::Token(Token { at: vec![Place::header("x-gitlab-token")] });
    Profile {
        max_body: BODY_LIMIT,
        naming: Naming {
            json: true,
            key: ["idempotency-key", "x-gitlab-event-uuid"].map(|name| KeyAt::Place(Place::header(name))).to_vec(),
            kind: KindRule { at: vec![Place::header("x-gitlab-event")], ..KindRule::default() },
            subject: vec![Place::field("/project/path_with_namespace")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/gitlab"), verifier)
    }
}

pub(super) fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "object_kind": draft.kind, "checkout_sha": draft.id,
        "project": {"id": 15, "path_with_namespace": draft.subject_or("mike/diaspora")},
    })
}
