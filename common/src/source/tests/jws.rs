//! JSON Web Tokens: what verifies, and everything that must not. Tokens are made here with other code than the product's.

mod routes;
mod vouching;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    super::*,
    kit::{Asked, at},
};

const NOW: i64 = 1_700_000_000;
const SECRET: &str = "internal-secret-0123456789abcdef";

/// A throw-away key of these tests, PKCS#8 in base64.
const RSA: &str = include_str!("jws/rsa.b64");

/// Who signs a token.
enum Signer {
    Hs256(Vec<u8>),
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
}

impl Signer {
    fn rsa() -> Self {
        let der = base64::prelude::BASE64_STANDARD.decode(RSA.trim()).unwrap();
        Self::Rs256(Box::new(RsaKeyPair::from_pkcs8(&der).unwrap()))
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Self::Es256(Box::new(pair))
    }

    fn ed25519() -> Self {
        Self::EdDsa(Box::new(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()))
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(key) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Its public half as a JWK.
    fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Hs256(key) => json!({"kty": "oct", "kid": kid, "k": text(key)}),
            Self::Rs256(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": text(&public.n), "e": text(&public.e)})
            }
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(pair.public_key().as_ref())})
            }
        }
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        compact(&json!({"alg": self.alg(), "kid": kid}), claims, |message| self.sign(message))
    }
}

fn compact(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

fn set(keys: &[Value]) -> Vec<u8> {
    json!({"keys": keys}).to_string().into_bytes()
}

/// The preset `internal` over these keys, for one audience and issuer.
fn internal(keys: Vec<PublicKey>, secrets: &[&str]) -> Source {
    let mut jws = Jws { issuers: vec!["us".to_owned()], audiences: vec!["lychgate".to_owned()], ..Jws::bearer() };
    if !keys.is_empty() {
        jws.algorithms = JwsAlgorithm::PUBLIC.to_vec();
        jws.keys = keys.into();
    }
    with(jws, secrets)
}

fn with(jws: Jws, secrets: &[&str]) -> Source {
    let profile = Profile { verifier: Verifier::Jws(jws), ..(preset::named("internal").unwrap().profile)() };
    let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).into()).collect();
    Source::new("internal", profile, &secrets).unwrap()
}

fn claims() -> Value {
    json!({"exp": NOW + 60, "iat": NOW, "iss": "us", "aud": ["other", "lychgate"]})
}

fn judged(source: &Source, token: &str) -> Result<String, String> {
    let asked = Asked::new("{}", &[("authorization", &format!("Bearer {token}"))]);
    asked.authentic(source).map(|authentic| authentic.secret).map_err(|refused| refused.detail())
}

fn refusal(source: &Source, token: &str) -> String {
    judged(source, token).unwrap_err()
}

#[test]
fn each_algorithm_verifies_with_its_own_key() {
    let signers = [Signer::rsa(), Signer::p256(), Signer::ed25519()];
    let jwks: Vec<_> = signers.iter().map(|signer| signer.jwk(signer.alg())).collect();
    let source = internal(PublicKey::set(&set(&jwks)).unwrap(), &[]);
    for signer in &signers {
        let token = signer.token(signer.alg(), &claims());
        assert_eq!(judged(&source, &token), Ok(format!("jwk:{}", signer.alg())));
        let mut forged = token.clone();
        let dot = forged.rfind('.').unwrap();
        forged.replace_range(dot + 1..dot + 2, if token.as_bytes()[dot + 1] == b'A' { "B" } else { "A" });
        assert_eq!(refusal(&source, &forged), "Invalid token: no key of this source made its signature");
    }
    let shared = internal(Vec::new(), &["old", SECRET]);
    let token = Signer::Hs256(SECRET.into()).token("any", &claims());
    assert_eq!(judged(&shared, &token), Ok(Secret::from(SECRET).label()));
    assert!(judged(&internal(Vec::new(), &["old"]), &token).is_err());
}

#[test]
fn the_token_does_not_choose_its_algorithm() {
    let rsa = Signer::rsa();
    let public = set(&[rsa.jwk("k")]);
    let source = internal(PublicKey::set(&public).unwrap(), &[SECRET]);
    // The classic: an HMAC made with the public key, which everybody knows.
    for key in [public.clone(), rsa.jwk("k")["n"].as_str().unwrap().into(), SECRET.into()] {
        let token = Signer::Hs256(key).token("k", &claims());
        assert_eq!(refusal(&source, &token), "Invalid token: its algorithm is not one that this source takes");
    }
    // Even where both were allowed, a source with public keys takes no HMAC.
    let mut jws = source.profile().verifier.jws().unwrap().clone();
    jws.algorithms = JwsAlgorithm::ALL.to_vec();
    let lax = with(jws, &[SECRET]);
    assert!(judged(&lax, &Signer::Hs256(SECRET.into()).token("k", &claims())).is_err());
    assert!(judged(&lax, &rsa.token("k", &claims())).is_ok());
    for alg in ["none", "None", "NONE", "RS512", "", "hs256"] {
        for signature in [Vec::new(), rsa.sign(b"x")] {
            let token = compact(&json!({"alg": alg, "kid": "k"}), &claims(), |_| signature.clone());
            assert!(refusal(&source, &token).starts_with("Invalid token: its algorithm"), "{alg}");
        }
    }
    // A signature of one kind under the name of another.
    let p256 = Signer::p256();
    let token = compact(&json!({"alg": "ES256", "kid": "k"}), &claims(), |message| p256.sign(message));
    assert_eq!(refusal(&source, &token), "Invalid token: no key of this source made its signature");
    let token = compact(&json!({"alg": "RS256", "kid": "k", "crit": ["b64"]}), &claims(), |message| rsa.sign(message));
    assert!(refusal(&source, &token).contains("critical"));
}

#[test]
fn claims_are_held_to() {
    let source = internal(Vec::new(), &[SECRET]);
    let signer = Signer::Hs256(SECRET.into());
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        judged(&source, &signer.token("k", &claims))
    };
    for (name, value, why) in [
        ("exp", json!(NOW - 61), "it has expired"),
        ("exp", json!(null), "`exp` is missing: it must expire"),
        ("exp", json!("soon"), "`exp` must be a number of seconds"),
        ("nbf", json!(NOW + 61), "it is not valid yet; check the sender's clock"),
        ("aud", json!("other"), "`aud` does not name this source"),
        ("aud", json!(null), "`aud` does not name this source"),
        ("aud", json!({"lychgate": 1}), "`aud` does not name this source"),
        ("iss", json!("them"), "`iss` is not an issuer that this source takes"),
    ] {
        assert_eq!(changed(name, value.clone()), Err(format!("Invalid token: {why}")), "{name} {value}");
    }
    for (name, value) in [("exp", json!(NOW - 59)), ("nbf", json!(NOW + 59)), ("aud", json!("lychgate"))] {
        assert!(changed(name, value.clone()).is_ok(), "{name} {value}");
    }
    let nameless = with(Jws { issuers: Vec::new(), audiences: Vec::new(), ..Jws::bearer() }, &[SECRET]);
    let of =
        |aud: Value| judged(&nameless, &signer.token("k", &json!({"exp": NOW + 60, "iss": "stranger", "aud": aud})));
    let why = "Invalid token: `aud` says whom it is for, and this source has no name: set `jwt.audience`";
    for aud in [json!("someone-else"), json!(["lychgate"]), json!(""), json!([])] {
        assert_eq!(of(aud.clone()), Err(why.to_owned()), "{aud}");
    }
    assert!(of(json!(null)).is_ok(), "for nobody in particular, from whoever has the key");
    let aged = with(Jws { max_age: Some(Duration::from_secs(100)), ..Jws::bearer() }, &[SECRET]);
    let issued = |iat: i64| signer.token("k", &json!({"exp": NOW + 60, "iat": iat}));
    assert!(judged(&aged, &issued(NOW - 159)).is_ok());
    assert_eq!(refusal(&aged, &issued(NOW - 161)), "Invalid token: it was issued too long ago");
}

#[test]
fn what_is_no_token_is_refused_without_a_panic() {
    let source = internal(Vec::new(), &[SECRET]);
    let good = Signer::Hs256(SECRET.into()).token("k", &claims());
    for bad in ["x", "a.b", "a.b.c.d", "..", "eyJ.eyJ.eyJ", &format!("{good}="), &good.replace('.', " ")] {
        assert_eq!(refusal(&source, bad), "Invalid token: it is no compact JSON Web Token", "{bad}");
    }
    let no_object =
        compact(&json!({"alg": "HS256"}), &json!([1]), |message| Signer::Hs256(SECRET.into()).sign(message));
    assert_eq!(refusal(&source, &no_object), "Invalid token: its payload is no JSON object");
    assert_eq!(Asked::new("{}", &[]).authentic(&source), Err(Refused::JwtMissing));
}

#[test]
fn a_key_set_keeps_what_verifies_and_says_when_nothing_does() {
    let rsa = Signer::rsa();
    let mut wrong_use = rsa.jwk("enc");
    wrong_use["use"] = json!("enc");
    let mut wrong_alg = rsa.jwk("pss");
    wrong_alg["alg"] = json!("PS256");
    let keys = PublicKey::set(&set(&[Signer::Hs256(vec![1]).jwk("oct"), wrong_use, wrong_alg, json!(7), rsa.jwk("k")]));
    assert_eq!(keys.unwrap().iter().map(PublicKey::kid).collect::<Vec<_>>(), [Some("k")]);
    assert_eq!(PublicKey::set(&set(&[Signer::Hs256(vec![1]).jwk("oct")])), Err(JwksFault::NoKey));
    assert!(matches!(PublicKey::set(b"<html>"), Err(JwksFault::NotASet(_))));
}

#[test]
fn an_unknown_key_is_asked_for_once_in_a_cool_down_and_old_keys_stay() {
    let (old, new) = (Signer::rsa(), Signer::ed25519());
    let server = KeyServer::new("https://keys.example.com/jwks".parse().unwrap());
    let jws = Jws { algorithms: JwsAlgorithm::PUBLIC.to_vec(), server: Some(server.clone()), ..Jws::bearer() };
    let source = with(jws, &[]);
    let start = std::time::Instant::now();
    let bearer = |signer: &Signer, kid: &str| {
        let token = signer.token(kid, &json!({"exp": NOW + 60}));
        Asked::new("{}", &[("authorization", &format!("Bearer {token}"))])
    };
    let due = |asked: &Asked, seconds: u64| {
        source.keys_due(&asked.request(), start + Duration::from_secs(seconds)).map(|(_, due)| due)
    };
    let (known, unknown) = (bearer(&old, "old"), bearer(&new, "new"));
    assert_eq!(due(&known, 0), Some(Due::Unknown));
    assert_eq!(due(&Asked::new("{}", &[]), 0), None, "nobody asks for a request without a token");
    server.asking(start);
    server.answered(&set(&[old.jwk("old")]), start).unwrap();
    assert!(known.authentic(&source).is_ok());
    assert_eq!(due(&known, 60), None);
    // Within the cool-down an unknown key does not ask, afterwards it does.
    assert_eq!((due(&unknown, 29), due(&unknown, 30)), (None, Some(Due::Unknown)));
    assert_eq!(unknown.authentic(&source).unwrap_err().name(), "jwt_wrong");
    server.asking(start + COOL_DOWN);
    server.failed();
    assert_eq!(due(&unknown, 31), None);
    assert_eq!(unknown.authentic(&source), Err(Refused::KeysUnreachable));
    assert!(known.authentic(&source).is_ok(), "old keys stay good");
    assert!(server.answered(b"{}", start).is_err());
    assert!(known.authentic(&source).is_ok(), "an answer of no use is none");
    server.answered(&set(&[new.jwk("new")]), start + COOL_DOWN).unwrap();
    assert!(unknown.authentic(&source).is_ok());
    assert!(known.authentic(&source).is_err(), "a withdrawn key is gone");
    assert_eq!(due(&unknown, 30 + 3600), Some(Due::Stale));
}
