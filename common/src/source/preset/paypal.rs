//! PayPal: RSA over the transmission's id and time, the webhook's id and the body's CRC-32, by a key whose certificate is
//! fetched from PayPal.
//!
//! The webhook's id is not secret, but it must be set (`webhook_id`). A CRC-32 is no cryptographic digest: whoever gets
//! hold of a delivery's headers can write another body for them, so they belong in no log. PayPal tries for three days,
//! and nowhere says that it signs anew, so a transmission may be that old; a copy is known by the event's id.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        certificates::Certificates,
        identify::{KeyAt, KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        time::{Freshness, TimeForm},
        verify::{Certified, CertifiedForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "paypal", profile, sample };

/// A day longer than PayPal tries.
const PAST: Duration = Duration::from_secs(4 * 24 * 3600);

fn profile() -> Profile {
    let time = Freshness::at_header("paypal-transmission-time", TimeForm::Rfc3339);
    let certified = Certified {
        form: CertifiedForm::PayPal { webhook_id: None },
        fresh: Freshness { past: PAST, ..time },
        loopback: false,
        certificates: Certificates::default(),
    };
    Profile {
        naming: Naming {
            json: true,
            key: vec![KeyAt::Place(Place::field("/id"))],
            kind: KindRule { at: vec![Place::field("/event_type")], ..KindRule::default() },
            subject: vec![Place::field("/resource/id")],
            occurred_at: Some((Place::field("/create_time"), TimeForm::Rfc3339)),
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/paypal"), Verifier::Certified(certified))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({
        "id": draft.id, "event_version": "1.0", "create_time": draft.time(), "resource_type": "capture",
        "event_type": draft.kind, "summary": "A payment was captured",
        "resource": {
            "id": draft.subject_or("42311647XV020574X"), "status": "COMPLETED",
            "amount": {"currency_code": "USD", "value": "30.00"},
        },
    })
}
