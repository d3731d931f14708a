//! How a source's requests are authenticated, as the settings have it: `signature = { … }` or `token = "header:X-API-Key"`.
//!
//! Each key of the table changes one thing of what the preset says; a table of one's own starts from the generic preset.

use std::borrow::Cow;

use super::{
    super::{
        key::KeyForm,
        place::Place,
        profile::Profile,
        template::{Piece, Template},
        time::{Freshness, TimeAt, TimeForm},
        verify::{Accepted, Algorithm, Encoding, Hash, Origin, Origins, Scheme, SignatureForm, Token, Verifier},
    },
    places::{places, the_place},
};
use crate::settings::{Faults, Reader};

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("hmac-sha256", Algorithm::Hmac(Hash::Sha256)),
    ("hmac-sha512", Algorithm::Hmac(Hash::Sha512)),
    ("hmac-sha1", Algorithm::Hmac(Hash::Sha1)),
    ("ed25519", Algorithm::Ed25519),
    ("ecdsa-p256", Algorithm::EcdsaP256),
];

const ENCODINGS: [(&str, Encoding); 4] = [
    ("hex", Encoding::Hex),
    ("lower-hex", Encoding::LowerHex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
];

const KEY_FORMS: [(&str, KeyForm); 6] = [
    ("text", KeyForm::Text),
    ("hex", KeyForm::Hex),
    ("base64", KeyForm::Base64),
    ("standard-webhooks", KeyForm::StandardWebhooks),
    ("ed25519-hex", KeyForm::Ed25519Hex),
    ("p256-spki", KeyForm::P256Spki),
];

const TIMES: [(&str, TimeForm); 3] =
    [("s", TimeForm::Seconds), ("ms", TimeForm::Millis), ("rfc3339", TimeForm::Rfc3339)];

/// Reads both ways and how keys are written.
pub(super) fn verifier(reader: &mut Reader<'_>, profile: &mut Profile) {
    if let Some(at) = places(reader, "token")
        && !replace(&mut profile.verifier, &Verifier::Token(Token { at: at.clone() }))
    {
        profile.verifier = Verifier::Token(Token { at });
        profile.key_form = KeyForm::Text;
    }
    if let Some(section) = reader.section("signature") {
        let mut faults = Faults::new();
        let mut inner = section.reader(&mut faults);
        let preset = profile.verifier.ways().iter().find_map(|way| match way {
            Verifier::Signed(scheme) => Some(scheme.clone()),
            Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Origin(_) | Verifier::Any(_) => {
                None
            }
        });
        let bare = || Scheme::hmac_body(Place::header("x-webhook-signature"), SignatureForm::Bare);
        let mut scheme = preset.unwrap_or_else(bare);
        read(&mut inner, &mut scheme);
        inner.finish();
        reader.absorb(faults);
        if !replace(&mut profile.verifier, &Verifier::Signed(scheme.clone())) {
            profile.verifier = Verifier::Signed(scheme);
        }
    }
    if let Some(origins) = origins(reader) {
        if reader.has("token") || reader.has("signature") {
            reader.fault("origins", "stands beside `token` or `signature`: a browser can keep no secret");
        }
        profile.verifier = Verifier::Origin(origins);
    }
    profile.key_form = reader.one_of("key_form", &KEY_FORMS).unwrap_or(profile.key_form);
}

/// Puts a way into the place of its like, where the source has several; says whether it has.
fn replace(verifier: &mut Verifier, new: &Verifier) -> bool {
    let Verifier::Any(ways) = verifier else { return false };
    let like = |way: &&mut Verifier| std::mem::discriminant::<Verifier>(way) == std::mem::discriminant(new);
    match ways.iter_mut().find(like) {
        Some(way) => *way = new.clone(),
        None => ways.push(new.clone()),
    }
    true
}

/// `origins = ["https://shop.example.com"]`: the pages that may call from browsers.
fn origins(reader: &mut Reader<'_>) -> Option<Origins> {
    let mut origins = Vec::new();
    for text in reader.list("origins")? {
        match Origin::parse(&text) {
            Ok(origin) => origins.push(origin),
            Err(fault) => reader.fault("origins", format!("`{text}` {fault}")),
        }
    }
    Some(Origins::new(origins))
}

fn read(reader: &mut Reader<'_>, scheme: &mut Scheme) {
    if let Some(at) = places(reader, "at") {
        scheme.at = at;
    }
    scheme.encoding = reader.one_of("encoding", &ENCODINGS).unwrap_or(scheme.encoding);
    let label = form(reader, scheme);
    let algorithm = reader.one_of("algorithm", &ALGORITHMS);
    if label.is_some() || algorithm.is_some() {
        let first = scheme.accepted.first();
        let algorithm = algorithm.or(first.map(|it| it.algorithm)).unwrap_or(Algorithm::Hmac(Hash::Sha256));
        let label = label.or(first.map(|it| it.label.clone())).flatten();
        scheme.accepted = vec![Accepted { label, algorithm }];
    }
    if let Some(text) = reader.text("signed") {
        match Template::parse(&text) {
            Ok(template) => scheme.signed = template,
            Err(fault) => reader.fault("signed", fault.to_string()),
        }
    }
    if let Some(at) = places(reader, "id") {
        scheme.id = at;
    }
    time(reader, scheme);
    if scheme.signed.uses(&Piece::Time) && scheme.fresh.is_none() {
        reader.fault("timestamp", "is missing: `signed` holds {ts}; write \"header:NAME\" or \"label:NAME\"");
    }
    if scheme.signed.uses(&Piece::Id) && scheme.id.is_empty() {
        reader.fault("id", "is missing: `signed` holds {id}; write \"header:NAME\"");
    }
}

/// `prefix` (with `prefix_optional`), or `label` with `between` and `within`. Returns the label where the form has
/// changed: `Some(None)` for a form without labels.
fn form(reader: &mut Reader<'_>, scheme: &mut Scheme) -> Option<Option<Cow<'static, str>>> {
    let prefix = reader.text("prefix");
    let optional = reader.flag("prefix_optional").unwrap_or(false);
    let label = reader.text("label");
    let between = one_character(reader, "between").unwrap_or(',');
    let within = one_character(reader, "within").unwrap_or('=');
    match (prefix, label) {
        (Some(_), Some(_)) => {
            reader.fault("label", "stands beside `prefix`: a signature has one or the other");
            None
        }
        (Some(prefix), None) if prefix.is_empty() => {
            scheme.form = SignatureForm::Bare;
            Some(None)
        }
        (Some(prefix), None) => {
            scheme.form = SignatureForm::Prefix { prefix: prefix.into(), optional };
            Some(None)
        }
        (None, Some(label)) => {
            scheme.form = SignatureForm::Pairs { between, within };
            Some(Some(label.into()))
        }
        (None, None) => None,
    }
}

fn one_character(reader: &mut Reader<'_>, key: &str) -> Option<char> {
    let text = reader.text(key)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Some(one),
        (_, _) => {
            reader.fault(key, "must be one character");
            None
        }
    }
}

/// `timestamp = "header:X-Time"` or `"label:t"`, `timestamp_format`, `past`, `future`.
fn time(reader: &mut Reader<'_>, scheme: &mut Scheme) {
    let label = reader.text("timestamp").and_then(|text| text.strip_prefix("label:").map(str::to_owned));
    let at = match label {
        Some(label) => Some(TimeAt::Pair(label.into())),
        None => the_place(reader, "timestamp").map(|place| TimeAt::Places(vec![place])),
    };
    if let Some(at) = at {
        let form = scheme.fresh.as_ref().map_or(TimeForm::Seconds, |fresh| fresh.form);
        scheme.fresh = Some(Freshness::within(at, form));
    }
    let form = reader.one_of("timestamp_format", &TIMES);
    let (past, future) = (reader.duration("past"), reader.duration("future"));
    match &mut scheme.fresh {
        Some(fresh) => {
            fresh.form = form.unwrap_or(fresh.form);
            fresh.past = past.unwrap_or(fresh.past);
            fresh.future = future.unwrap_or(fresh.future);
        }
        None if form.is_some() || past.is_some() || future.is_some() => {
            reader.fault("timestamp", "is missing: its format and tolerance stand alone");
        }
        None => {}
    }
}
