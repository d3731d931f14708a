//! Calendly: Stripe's layout, `t=…,v1=…` over `{t}.{body}`; an event is known by what happened to which object when.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::{Freshness, TimeForm},
        verify::{Scheme, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "calendly", profile, sample };

/// Calendly's own example allows three minutes.
const TOLERANCE: Duration = Duration::from_secs(180);

fn profile() -> Profile {
    let scheme = Scheme {
        fresh: Some(Freshness { past: TOLERANCE, ..Freshness::at_label("t", TimeForm::Seconds) }),
        ..Scheme::hmac_pairs(Place::header("calendly-webhook-signature"), TimeForm::Seconds)
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Joined(["/payload/uri", "/event", "/created_at"].map(Place::field).to_vec())],
            kind: KindRule { at: vec![Place::field("/event")], ..KindRule::default() },
            subject: vec![Place::field("/payload/uri")],
            occurred_at: Some((Place::field("/created_at"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/calendly"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    let uri = format!("https://api.calendly.com/scheduled_events/{}", draft.subject_or(draft.id));
    json!({"event": draft.kind, "created_at": draft.time(), "payload": {"uri": uri, "email": "jane@example.com"}})
}
