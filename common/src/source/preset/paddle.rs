//! Paddle: `Paddle-Signature: ts=…;h1=…` over `{ts}:{body}`.
//!
//! Paddle's library allows 5 s, which fails behind anything that queues; we allow the usual 300 s.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        limits::OnConflict,
        place::Place,
        profile::Profile,
        sample::Draft,
        template::{Piece, Template},
        time::{Freshness, TimeForm},
        verify::{Accepted, Algorithm, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "paddle", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Pairs { between: ';', within: '=' };
    let scheme = Scheme {
        accepted: vec![Accepted { label: Some("h1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) }],
        signed: Template::of([Piece::Time, Piece::text(":"), Piece::Body]),
        fresh: Some(Freshness::at_label("ts", TimeForm::Seconds)),
        ..Scheme::hmac_body(Place::header("paddle-signature"), form)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/event_id"))],
            kind: KindRule { at: vec![Place::field("/event_type")], ..KindRule::default() },
            subject: vec![Place::field("/data/id")],
            occurred_at: Some((Place::field("/occurred_at"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/event_id"))],
            ..Naming::default()
        },
        // Each delivery of an event carries a `notification_id` of its own.
        on_conflict: OnConflict::Replay,
        ..Profile::new(PRESET.name, path("/webhooks/paddle"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "event_id": draft.id, "event_type": draft.kind, "occurred_at": draft.time(), "notification_id": "ntf_1",
        "data": {"id": draft.subject_or("txn_01h04vsc0qhwtsbsxh3422wjs4"), "status": "completed"},
    })
}
