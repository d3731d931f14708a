//! FaithFlow Enterprise (document B): bare lower-case hex in `X-Webhook-Signature`, made with the campus's own secret.
//!
//! There is no event id. With a `timestamp`, equal bodies are one event; without, nothing tells two apart and every
//! delivery counts, which is safe because the handler fetches the member's current state.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{Answer, HandshakeRule},
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        reply::{Reply, ReplyBody},
        sample::Draft,
        time::TimeForm,
        verify::{Encoding, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "faithflow", profile, sample };

const KINDS: &[&str] = &["test", "ping", "member.created", "member.updated", "member.deleted"];

/// How long the answer waits for the member's name.
const WAIT: Duration = Duration::from_secs(3);

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::LowerHex,
        ..Scheme::hmac_body(Place::header("x-webhook-signature"), SignatureForm::Bare)
    };
    let test = |name| HandshakeRule::of_sender(name, Place::field("/event_type"), name, Answer::FaithFlowTest);
    Profile {
        keys_by_tenant: true,
        terse: true,
        handshakes: vec![test("test"), test("ping")],
        naming: Naming {
            json: true,
            key: vec![KeyAt::BodyHashIf(Place::field("/timestamp"))],
            kind: KindRule {
                at: vec![Place::field("/event_type")],
                known: KINDS,
                only_known: true,
                ..KindRule::default()
            },
            tenant: vec![Place::field("/church_id"), Place::field("/campus_id")],
            tenant_required: Some(Place::field("/campus_id")),
            subject: vec![Place::field("/member_id")],
            occurred_at: Some((Place::field("/timestamp"), TimeForm::Rfc3339)),
            required: vec![("member.", Place::field("/member_id"))],
            ..Naming::default()
        },
        wait: Some(WAIT),
        // Not 200: that is the word for a member that has been processed.
        reply: Reply { status: StatusCode::ACCEPTED, body: ReplyBody::MemberAccepted, ..Reply::default() },
        ..Profile::new(PRESET.name, path("/api/sync/webhook"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let church = draft.tenant.unwrap_or("3880a17d-f858-4622-87c2-96eaa7b25c83");
    let mut body = json!({"event_type": draft.kind, "church_id": church, "timestamp": draft.time()});
    if draft.kind.starts_with("member.")
        && let Some(map) = body.as_object_mut()
    {
        map.insert("member_id".to_owned(), draft.subject_or("8655d76b-9be0-4681-bd2c-35cd5e09a809").into());
    }
    body
}
