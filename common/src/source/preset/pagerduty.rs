//! PagerDuty's v3 webhooks: `X-PagerDuty-Signature: v1=…,v1=…` over the body, one for each active secret.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::TimeForm,
        verify::{Accepted, Algorithm, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "pagerduty", profile, sample };

fn profile() -> Profile {
    let form = SignatureForm::Pairs { between: ',', within: '=' };
    let scheme = Scheme {
        accepted: vec![Accepted { label: Some("v1".into()), algorithm: Algorithm::Hmac(Hash::Sha256) }],
        ..Scheme::hmac_body(Place::header("x-pagerduty-signature"), form)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/event/id"))],
            kind: KindRule { at: vec![Place::field("/event/event_type")], ..KindRule::default() },
            subject: vec![Place::field("/event/data/id")],
            occurred_at: Some((Place::field("/event/occurred_at"), TimeForm::Rfc3339)),
            required: vec![("", Place::field("/event/id"))],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/pagerduty"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"event": {
        "id": draft.id, "event_type": draft.kind, "resource_type": "incident", "occurred_at": draft.time(),
        "data": {"id": draft.subject_or("PGR0VU2"), "type": "incident"},
    }})
}
