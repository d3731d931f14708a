//! Tokens that vouch for the body beside them: Saleor's, whose payload it is, and Plaid's, which claim its digest.

use super::{super::super::sign::sign, *};

/// The key of RFC 7515's first example, with which RFC 7797 signs, too.
const RFC: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const ORDER: &str = r#"{"issuedAt":"2023-11-14T22:13:20+00:00","order":{"id":"T3JkZXI6MQ=="}}"#;
const ITEM: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"DEFAULT_UPDATE","item_id":"i1"}"#;

/// A preset whose sender's keys are these.
fn with_keys(name: &str, signers: &[(&str, &Signer)], more: &str) -> Source {
    let keys: Vec<_> = signers.iter().map(|(kid, signer)| signer.jwk(kid)).collect();
    let set = String::from_utf8(set(&keys)).unwrap();
    read(&format!("[[source]]\nname = \"s\"\npreset = \"{name}\"\njwt = {{ jwks = '{set}'{more} }}")).unwrap().remove(0)
}

fn read(text: &str) -> Result<Vec<Source>, Vec<String>> {
    super::super::settings::read(text)
}

fn detached(signer: &Signer, header: &Value, signed: &[u8]) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
    let message = [header.as_bytes(), b".", signed].concat();
    format!("{header}..{}", BASE64_URL_SAFE_NO_PAD.encode(signer.sign(&message)))
}

fn order(body: &str, token: &str) -> Asked {
    Asked::new(body, &[("saleor-signature", token), ("saleor-event", "order_created")])
}

fn item(body: &str, token: &str) -> Asked {
    Asked::new(body, &[("plaid-verification", token)])
}

fn digest(body: &str) -> String {
    use sha2::Digest as _;
    hex::encode(Sha256::digest(body))
}

#[test]
fn a_detached_payload_is_signed_as_the_standard_s_own_examples() {
    let mut profile = (preset::named("saleor").unwrap().profile)();
    if let Verifier::Jws(jws) = &mut profile.verifier {
        jws.algorithms = vec![JwsAlgorithm::Hs256];
    }
    let key = Secret::new(BASE64_URL_SAFE_NO_PAD.decode(RFC).unwrap());
    let source = Source::new("rfc", profile, &[key]).unwrap();
    // RFC 7797, 4.2 (as it is) and 4.1 (in base64url, here without its payload).
    let plain = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY";
    let encoded = "eyJhbGciOiJIUzI1NiJ9..5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ";
    for token in [plain, encoded] {
        assert!(order("$.02", token).authentic(&source).is_ok(), "{token}");
        assert!(order("$.03", token).authentic(&source).is_err(), "{token}");
    }
    let attached = "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ";
    assert!(order("$.02", attached).authentic(&source).unwrap_err().detail().contains("payload of its own"));
}

#[test]
fn saleor_s_token_vouches_for_the_very_bytes_and_for_no_others() {
    let rsa = Signer::rsa();
    let source = with_keys("saleor", &[("1", &rsa)], "");
    // As Saleor's library did: `b64`, and no word about it being critical; and as the standard wants it, and it does now.
    for crit in [json!(null), json!(["b64"])] {
        let mut header = json!({"alg": "RS256", "b64": false, "kid": "1", "typ": "JWT"});
        if !crit.is_null() {
            header["crit"] = crit;
        }
        let token = detached(&rsa, &header, ORDER.as_bytes());
        let authentic = order(ORDER, &token).authentic(&source).unwrap();
        assert_eq!(authentic.secret, "jwk:1");
        let reordered = ORDER.replace("{\"issuedAt\"", "{ \"issuedAt\"");
        assert!(order(&reordered, &token).authentic(&source).is_err(), "the same JSON, and other bytes");
    }
    for (header, why) in [
        (json!({"alg": "RS256", "b64": false, "crit": ["exp"], "kid": "1"}), "critical"),
        (json!({"alg": "RS256", "crit": ["b64"], "kid": "1"}), "critical"),
        (json!({"alg": "RS256", "b64": false, "crit": [], "kid": "1"}), "critical"),
        (json!({"alg": "HS256", "b64": false, "kid": "1"}), "algorithm"),
        (json!({"alg": "RS256", "b64": false, "kid": "2"}), "not among those"),
    ] {
        let token = detached(&rsa, &header, ORDER.as_bytes());
        let refused = order(ORDER, &token).authentic(&source).unwrap_err();
        assert!(refused.detail().contains(why), "{header}: {}", refused.detail());
    }
    // Unencoded payloads are of no other kind of token.
    let bearer = internal(PublicKey::set(&set(&[rsa.jwk("1")])).unwrap(), &[]);
    let token = detached(&rsa, &json!({"alg": "RS256", "b64": false, "kid": "1"}), claims().to_string().as_bytes());
    assert!(refusal(&bearer, &token).contains("not encoded"), "{}", refusal(&bearer, &token));
}

#[test]
fn a_saleor_event_is_known_by_its_body_only_where_that_has_a_time() {
    let source = with_keys("saleor", &[("1", &Signer::rsa())], "");
    let timed = order(ORDER, "x").identity(&source).unwrap();
    assert!(timed.key.unwrap().starts_with("sha256:") && timed.key_signed);
    assert_eq!((&*timed.kind, timed.occurred_at), ("order_created", Some(at(1_700_000_000))));
    let made_up = r#"[{"type":"Order","id":"T3JkZXI6MQ==","meta":{"issued_at":"2023-11-14T22:13:20+00:00"}}]"#;
    let made_up = order(made_up, "x").identity(&source).unwrap();
    assert_eq!((made_up.key.is_some(), made_up.occurred_at), (true, Some(at(1_700_000_000))));
    assert_eq!(order(r#"{"order":{"id":"1"}}"#, "x").identity(&source).unwrap().key, None);
    let untyped = Asked::new(ORDER, &[("saleor-signature", "x")]).identity(&source).unwrap_err();
    assert_eq!(untyped.detail(), "Missing saleor-event header");
}

#[test]
fn plaid_s_token_vouches_for_one_body_for_five_minutes() {
    let (p256, other) = (Signer::p256(), Signer::p256());
    let source = with_keys("plaid", &[("k", &p256)], "");
    let token = |iat: Value, digest: Value| {
        let mut claims = json!({"iat": iat, "request_body_sha256": digest});
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        p256.token("k", &claims)
    };
    let good = token(json!(NOW), json!(digest(ITEM)));
    assert_eq!(item(ITEM, &good).authentic(&source).unwrap().secret, "jwk:k");
    assert!(item(ITEM, &good).at(NOW + 300).authentic(&source).is_ok());
    let judged = |asked: Asked| asked.authentic(&source).unwrap_err().detail();
    assert_eq!(judged(item(ITEM, &good).at(NOW + 301)), "Invalid token: it was issued too long ago");
    let changed = ITEM.replace("i1", "i2");
    assert_eq!(judged(item(&changed, &good)), "Invalid token: `request_body_sha256` is not the SHA-256 of this body");
    for (token, why) in [
        (token(json!(null), json!(digest(ITEM))), "`iat` is missing"),
        (token(json!(NOW), json!(null)), "`request_body_sha256` is missing"),
        (token(json!(NOW), json!(7)), "`request_body_sha256` is missing"),
        (token(json!(NOW), json!(digest(ITEM).to_uppercase())), "is not the SHA-256"),
        (other.token("k", &json!({"iat": NOW, "request_body_sha256": digest(ITEM)})), "no key of this source"),
        (Signer::rsa().token("k", &json!({"iat": NOW})), "algorithm"),
    ] {
        let refused = judged(item(ITEM, &token));
        assert!(refused.contains(why), "{why}: {refused}");
    }
    assert_eq!(Asked::new(ITEM, &[]).authentic(&source), Err(Refused::JwtMissing));
}

#[test]
fn a_copy_of_plaid_s_delivery_is_known_whatever_is_done_to_its_signature() {
    let p256 = Signer::p256();
    let source = with_keys("plaid", &[("k", &p256)], "");
    let issued = |iat: i64| p256.token("k", &json!({"iat": iat, "request_body_sha256": digest(ITEM)}));
    let known = |token: &str| {
        let asked = item(ITEM, token);
        assert!(asked.authentic(&source).is_ok());
        let identity = asked.identity(&source).unwrap();
        assert_eq!((&*identity.kind, identity.subject.as_deref()), ("TRANSACTIONS.DEFAULT_UPDATE", Some("i1")));
        assert!(identity.key_signed);
        identity.key.unwrap()
    };
    let token = issued(NOW);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut other = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    negate(&mut other[32..]);
    let twin = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(other));
    assert_ne!(twin, token);
    assert_eq!(known(&twin), known(&token), "anybody can make the second signature of the two that are good");
    assert_ne!(known(&issued(NOW - 1)), known(&token), "signed anew, it may be another event with the same body");
}

/// `n - s`, for the order `n` of P-256: the other signature that is as good.
fn negate(s: &mut [u8]) {
    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let mut borrow = 0;
    for (s, n) in s.iter_mut().zip(hex::decode(N).unwrap()).rev() {
        let left = i16::from(n) - i16::from(*s) - borrow;
        borrow = i16::from(left < 0);
        *s = left.rem_euclid(256).try_into().unwrap();
    }
}

#[test]
fn our_own_signer_signs_as_both_do() {
    let der = base64::prelude::BASE64_STANDARD.decode(RSA.trim()).unwrap();
    let rsa = Signer::Rs256(Box::new(RsaKeyPair::from_pkcs8(&der).unwrap()));
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let p256 = Signer::Es256(Box::new(pair));
    let ec_text = base64::prelude::BASE64_STANDARD.encode(pkcs8.as_ref());
    for (name, signer, secret) in [("saleor", &rsa, RSA.trim()), ("plaid", &p256, ec_text.as_str())] {
        let source = with_keys(name, &[("k", signer)], "");
        let draft = Draft { kind: "A.B", id: "e1", tenant: None, subject: None, at: at(NOW) };
        let sent = Asked::sent(sign(&source, &secret.into(), &draft, None, None).unwrap(), at(NOW), &source);
        assert_eq!(sent.authentic(&source).map(|authentic| authentic.secret), Ok("jwk:k".to_owned()), "{name}");
        assert_eq!(&*sent.identity(&source).unwrap().kind, "A.B", "{name}");
        let mut flipped = sent.clone();
        flipped.body = [&sent.body[..], b" "].concat().into();
        assert!(flipped.authentic(&source).is_err(), "{name}");
    }
}

#[test]
fn where_their_keys_are_must_be_said_and_no_secret_beside() {
    let fault = |lines: &str| read(&format!("[[source]]\nname = \"s\"\n{lines}")).unwrap_err().join("\n");
    assert!(fault("preset = \"saleor\"").contains("/.well-known/jwks.json"));
    assert!(fault("preset = \"plaid\"").contains("key_api = {"));
    assert!(fault("preset = \"plaid\"\nkey_api = { client_id = \"c\" }").contains("secret"));
    let plain =
        "preset = \"plaid\"\nkey_api = { client_id = \"c\", secret = \"s\", url = \"http://plaid.example.com\" }";
    assert!(fault(plain).contains("must be https"));
    assert!(fault("preset = \"saleor\"\nkey_api = { client_id = \"c\", secret = \"s\" }").contains("jwt.jwks"));
    assert!(fault("secrets = [\"x\"]\nkey_api = { client_id = \"c\", secret = \"s\" }").contains("hands no keys out"));
    let with_secret = "preset = \"plaid\"\nsecrets = [\"x\"]\nkey_api = { client_id = \"c\", secret = \"s\" }";
    assert!(fault(with_secret).contains("is not used"));
    assert!(fault("secrets = [\"x\"]\njwt = { payload = \"none\" }").contains("digest:CLAIM"));
    assert!(fault("secrets = [\"x\"]\njwt = { at = \"body\", payload = \"detached\" }").contains("no other body"));
    let sandbox = "[[source]]\nname = \"s\"\npreset = \"plaid\"\n\
                   key_api = { client_id = \"c\", secret = \"very-secret\", url = \"https://sandbox.plaid.com\" }";
    let source = read(sandbox).unwrap().remove(0);
    let (asked, token) = (source.profile().verifier.jws().unwrap().api.clone().unwrap(), Signer::p256());
    assert_eq!(asked.url().as_str(), "https://sandbox.plaid.com/webhook_verification_key/get");
    assert!(!format!("{source:?}").contains("very-secret"));
    let wanted = item(ITEM, &token.token("k9", &json!({})));
    assert_eq!(source.key_wanted(&wanted.request()).map(|(_, kid)| kid), Some("k9".to_owned()));
    let foreign = item(ITEM, &Signer::rsa().token("k9", &json!({})));
    assert!(source.key_wanted(&foreign.request()).is_none(), "of another algorithm: nobody is asked");
}
