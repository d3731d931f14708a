//! What holds for every preset and every body: what its sender signs verifies, and nothing else does.

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    super::{sign::sign, *},
    kit::{Asked, at},
};

/// A secret that every preset's HMAC takes: Standard Webhooks wants its form, the others take any text.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The same for a preset whose keys are written in hex (Adyen).
const IN_HEX: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

fn secret(source: &Source) -> Secret {
    if source.profile().key_form == KeyForm::Hex { IN_HEX.into() } else { SECRET.into() }
}

/// A source of each preset whose sender signs with a shared secret, and the key it is checked with.
fn shared() -> Vec<(Source, Key)> {
    let build = |preset: &preset::Preset| {
        let either = [SECRET, IN_HEX].map(|secret| Source::new(preset.name, (preset.profile)(), &[secret.into()]).ok());
        let source = either.into_iter().flatten().find(|source| source.profile().key_form != KeyForm::Ed25519Hex)?;
        let key = source.read_key(&secret(&source)).ok()?;
        Some((source, key))
    };
    preset::ALL.iter().filter_map(build).collect()
}

fn draft<'a>(source: &Source, seconds: i64) -> Draft<'a> {
    let kind = source.known_kinds().last().copied().unwrap_or("thing.changed");
    Draft { kind, id: "msg_1", tenant: Some("campus_1"), subject: None, at: at(seconds) }
}

#[test]
fn every_preset_accepts_what_its_sender_sends_and_names_it() {
    for (source, key) in shared() {
        let draft = draft(&source, 1_700_000_000);
        let sent = sign(&source, &secret(&source), &draft, None, Some("https://example.com/hook")).unwrap();
        let asked = Asked::sent(sent, draft.at, &source);
        let keys = std::slice::from_ref(&key);
        let authentic = source.authenticate(&asked.request(), keys);
        assert_eq!(authentic.map(|a| a.secret), Ok(key.label().to_owned()), "{}", source.name());
        let events = source.identify(&asked.request());
        let kinds = events.map(|events| events.iter().map(|event| event.kind.to_string()).collect::<Vec<_>>());
        assert_eq!(kinds, Ok(vec![draft.kind.to_owned()]), "{}", source.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_body_verifies_and_any_flipped_bit_does_not(body in proptest::collection::vec(any::<u8>(), 1..200), bit: usize) {
        for (source, key) in shared() {
            let signed = match &source.profile().verifier {
                Verifier::Signed(scheme) => scheme.signed.signs_body() && !scheme.at.iter().any(Place::in_body),
                Verifier::Token(_) | Verifier::Jws(_) | Verifier::Certified(_) | Verifier::Origin(_) | Verifier::Any(_) => false,
            };
            let in_body = |at: &TimeAt| matches!(at, TimeAt::Places(places) if places.iter().any(Place::in_body));
            let timed = matches!(&source.profile().verifier, Verifier::Signed(scheme) if scheme.fresh.as_ref().is_some_and(|fresh| in_body(&fresh.at)));
            if !signed || timed {
                continue;
            }
            let draft = draft(&source, 1_700_000_000);
            let sent = sign(&source, &secret(&source), &draft, Some(body.clone().into()), Some("https://example.com/hook")).unwrap();
            let mut asked = Asked::sent(sent, draft.at, &source);
            let keys = std::slice::from_ref(&key);
            prop_assert!(source.authenticate(&asked.request(), keys).is_ok(), "{}", source.name());
            let mut flipped = body.clone();
            let at = (bit / 8) % flipped.len();
            flipped[at] ^= 1 << (bit % 8);
            asked.body = flipped.into();
            prop_assert_eq!(source.authenticate(&asked.request(), keys), Err(Refused::SignatureWrong));
        }
    }

    #[test]
    fn no_body_and_no_header_makes_a_source_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        value in "[ -~]{0,120}",
    ) {
        for (source, key) in shared() {
            let mut asked = Asked::new("", &[]);
            asked.body = Bytes::from(body.clone());
            let sent = sign(&source, &secret(&source), &draft(&source, 1_700_000_000), None, Some("https://example.com/hook")).unwrap();
            for name in sent.headers.keys() {
                asked.headers.insert(name, value.parse().unwrap());
            }
            drop(source.require_credentials(&asked.request()));
            drop(source.tenant_hint(&asked.request()));
            drop(source.handshake(&asked.request()));
            drop(source.greeting(&asked.request()));
            drop(source.identify(&asked.request()));
            prop_assert!(source.authenticate(&asked.request(), &[key]).is_err());
        }
    }
}
