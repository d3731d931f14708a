//! Standard Webhooks 1.0 and its family (Svix, Resend, Clerk, OpenAI, Polar, GitLab): `webhook-*` or `svix-*` headers.
//!
//! `v1` is HMAC-SHA256 with a `whsec_` key, `v1a` Ed25519 with a `whpk_` key; signatures of other versions are skipped.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        key::KeyForm,
        place::Place,
        profile::Profile,
        sample::Draft,
        template::{Piece, Template},
        time::{Freshness, TimeAt, TimeForm},
        verify::{Accepted, Algorithm, Encoding, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, gitlab_token, path,
};

pub(super) const PRESET: Preset =
    Preset { name: "standard-webhooks", profile: || family("standard-webhooks", "/webhooks/standard"), sample };

/// Svix itself.
pub(super) const SVIX: Preset = Preset { name: "svix", profile: || through_svix("svix", "/webhooks/svix"), sample };

/// Resend sends through Svix. Its events are told apart by `svix-id`; `email_id` is shared by all events of a mail.
pub(super) const RESEND: Preset = Preset { name: "resend", profile: resend, sample: resend_sample };

/// Clerk sends through Svix.
pub(super) const CLERK: Preset = Preset { name: "clerk", profile: || through_svix("clerk", "/webhooks/clerk"), sample };

/// OpenAI.
pub(super) const OPENAI: Preset = Preset { name: "openai", profile: || family("openai", "/webhooks/openai"), sample };

/// Polar, whose secret is the key as it stands, and is not decoded.
pub(super) const POLAR: Preset = Preset { name: "polar", profile: polar, sample };

/// GitLab with a signing token (`whsec_…`), which covers id, time and body; the event's name stands in a header.
pub(super) const GITLAB: Preset = Preset { name: "gitlab-signed", profile: gitlab, sample: gitlab_token::sample };

fn polar() -> Profile {
    Profile { key_form: KeyForm::Text, ..family("polar", "/webhooks/polar") }
}

fn gitlab() -> Profile {
    let mut profile = family("gitlab-signed", "/webhooks/gitlab-signed");
    profile.max_body = gitlab_token::BODY_LIMIT;
    profile.naming.kind = KindRule { at: vec![Place::header("x-gitlab-event")], ..KindRule::default() };
    profile.naming.subject = vec![Place::field("/project/path_with_namespace")];
    profile.naming.occurred_at = None;
    profile
}

const RESEND_KINDS: &[&str] = &[
    "email.sent",
    "email.delivered",
    "email.delivery_delayed",
    "email.bounced",
    "email.complained",
    "email.opened",
    "email.clicked",
    "email.failed",
    "email.received",
];

fn resend() -> Profile {
    let mut profile = through_svix("resend", "/webhooks/resend");
    profile.naming.kind.known = RESEND_KINDS;
    profile.naming.subject = vec![Place::field("/data/email_id")];
    profile.naming.occurred_at = Some((Place::field("/created_at"), TimeForm::Rfc3339));
    profile
}

fn family(name: &'static str, at: &'static str) -> Profile {
    named(name, at, |ours, svix| [ours, svix])
}

/// Who sends through Svix has its header names, unless it has bought others.
fn through_svix(name: &'static str, at: &'static str) -> Profile {
    named(name, at, |ours, svix| [svix, ours])
}

/// `order`: of the two names of a header, the one that is sent comes first; either is taken.
fn named(name: &'static str, at: &'static str, order: fn(&'static str, &'static str) -> [&'static str; 2]) -> Profile {
    let either = |ours, svix| order(ours, svix).map(Place::header).to_vec();
    let id = either("webhook-id", "svix-id");
    let form = SignatureForm::Pairs { between: ' ', within: ',' };
    let scheme = Scheme {
        at: either("webhook-signature", "svix-signature"),
        encoding: Encoding::Base64,
        accepted: vec![
            Accepted { label: Some("v1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) },
            Accepted { label: Some("v1a".into()), algorithm: Algorithm::Ed25519 },
        ],
        signed: Template::of([Piece::Id, Piece::text("."), Piece::Time, Piece::text("."), Piece::Body]),
        id: id.clone(),
        fresh: Some(Freshness::within(
            TimeAt::Places(either("webhook-timestamp", "svix-timestamp")),
            TimeForm::Seconds,
        )),
        ..Scheme::hmac_body(Place::header("webhook-signature"), form)
    };
    Profile {
        key_form: KeyForm::StandardWebhooks,
        naming: Naming {
            json: true,
            key: id.into_iter().map(KeyAt::Place).collect(),
            // The specification recommends `type`, and does not demand it.
            kind: KindRule {
                at: vec![Place::field("/type"), Place::field("/event_type")],
                fallback: Some("message".into()),
                ..KindRule::default()
            },
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Any)),
            ..Naming::default()
        },
        ..Profile::new(name, path(at), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"type": draft.kind, "timestamp": draft.time(), "data": {"id": draft.subject_or("thing_1")}})
}

fn resend_sample(draft: &Draft<'_>) -> Value {
    let data = json!({
        "email_id": draft.subject_or("56761188-7520-42d8-8898-ff6fc54ce618"), "from": "Acme <onboarding@example.com>",
        "to": ["delivered@example.com"], "subject": "Hello",
    });
    json!({"type": draft.kind, "created_at": draft.time(), "data": data})
}
