//! Dropbox: `X-Dropbox-Signature`, hex over the body; the address is proven by echoing a GET's `challenge`.
//!
//! A notification only says whose files have changed. It has neither id nor time, so every delivery counts.

use hyper::Method;
use serde_json::{Value, json};

use super::{
    super::{
        handshake::{HandshakeRule, KnownBy},
        identify::{KindRule, Naming},
        place::Place,
        profile::Profile,
        sample::Draft,
        verify::{Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "dropbox", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme::hmac_body(Place::header("x-dropbox-signature"), SignatureForm::Bare);
    Profile {
        handshakes: vec![HandshakeRule::challenge("challenge", Method::GET, "challenge", KnownBy::Anybody)],
        naming: Naming {
            json: true,
            kind: KindRule { fallback: Some("list_folder".into()), known: &["list_folder"], ..KindRule::default() },
            subject: vec![Place::field("/list_folder/accounts/0")],
            ..Naming::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/dropbox"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!({"list_folder": {"accounts": [draft.subject_or("dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc")]}, "delta": {"users": []}})
}
