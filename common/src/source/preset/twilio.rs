//! Twilio: HMAC-SHA1 over the public URL and the form's parameters, sorted by name; the URL comes from the settings.
//!
//! Of a JSON body only the digest is signed, as the URL's `bodySHA256`. Twilio signs the URL with or without its usual
//! port. What identifies a callback is its body, which names message and status.

use serde_json::{Value, json};

use super::{
    super::{
        identify::{KeyAt, KindRule, Naming},
        limits::ContentTypes,
        place::Place,
        profile::Profile,
        public_url::UrlForm,
        reply::{Reply, ReplyBody},
        sample::Draft,
        template::{Piece, Template},
        verify::{Accepted, Algorithm, Encoding, Hash, Scheme, SignatureForm, Verifier},
    },
    Preset, path,
};

pub(super) const PRESET: Preset = Preset { name: "twilio", profile, sample };

fn profile() -> Profile {
    let scheme = Scheme {
        encoding: Encoding::Base64,
        accepted: vec![Accepted { label: None, algorithm: Algorithm::Hmac(Hash::Sha1) }],
        signed: Template::of([Piece::Url(UrlForm::AsGiven), Piece::FormOrDigest]),
        or_signed: vec![Template::of([Piece::Url(UrlForm::OtherPort), Piece::FormOrDigest])],
        ..Scheme::hmac_body(Place::header("x-twilio-signature"), SignatureForm::Bare)
    };
    Profile {
        content_types: ContentTypes::Only(&["application/x-www-form-urlencoded", "application/json"]),
        naming: Naming {
            key: vec![KeyAt::BodyHash],
            kind: KindRule { fallback: Some("callback".into()), known: &["callback"], ..KindRule::default() },
            ..Naming::default()
        },
        // Twilio reads instructions (TwiML) out of the answer; this is "do nothing".
        reply: Reply {
            content_type: "text/xml".into(),
            body: ReplyBody::Fixed(bytes::Bytes::from_static(b"<Response/>")),
            ..Reply::default()
        },
        ..Profile::new(PRESET.name, path("/webhooks/twilio"), Verifier::Signed(scheme))
    }
}

fn sample(draft: &Draft<'_>) -> Value {
    json!(format!("MessageSid={}&MessageStatus=delivered&From=%2B14158675309", draft.id))
}
