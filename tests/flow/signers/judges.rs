//! What `lychgate send` and `lychgate check --source` sign is what a real sender would: vendors' own libraries say so,
//! and say no as soon as one byte is another.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use lychgate_tests::{
    Directory, Program, Settings,
    receiver::{Answer, Receiver},
    stage::{Ran, ran},
    vendors::Sdk,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};

/// A throw-away key, PKCS#8 in base64.
const RSA: &str = include_str!("../../../common/src/source/tests/jws/rsa.b64");
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PLAIN: &str = "a-secret-0123456789abcdef";

/// A sender, and the library that judges us in its place.
struct Case {
    preset: &'static str,
    judge: &'static str,
    /// What the judge is given: the shared secret, or the sender's public key.
    secret: String,
    /// What signs, where that is another: the private half.
    key: Option<String>,
    /// The settings that name the public key, where they are not `secrets`.
    keys: Option<String>,
}

impl Case {
    fn shared(preset: &'static str, judge: &'static str, secret: &str) -> Self {
        Self { preset, judge, secret: secret.to_owned(), key: None, keys: None }
    }

    fn pair(preset: &'static str, judge: &'static str, public: String, private: String) -> Self {
        Self { key: Some(private), ..Self::shared(preset, judge, &public) }
    }

    /// A sender that publishes its keys as a set.
    fn set(preset: &'static str, key: Value, private: String) -> Self {
        let set = json!({ "keys": [key] }).to_string();
        Self { keys: Some(format!("jwt = {{ jwks = '{set}' }}")), ..Self::pair(preset, preset, set, private) }
    }

    fn settings(&self) -> Settings {
        let keys = self.keys.clone().unwrap_or_else(|| format!("secrets = [{:?}]", self.secret));
        Settings::new().with(&format!("[[source]]\nname = \"judged\"\npreset = {:?}\n{keys}\n", self.preset))
    }

    /// A body in which one byte is another, of those that this sender signs.
    fn flipped(&self, body: &str) -> String {
        match self.preset {
            "adyen" => body.replacen("\"EUR\"", "\"EUX\"", 1),
            "twilio" => format!("{}X", &body[..body.len() - 1]),
            _ => {
                // The last letter of a text: whatever it says, the body stays JSON.
                let ends = |(at, pair): &(usize, &[u8])| pair[0].is_ascii_alphanumeric() && pair[1] == b'"' && *at > 0;
                let (at, _) = body.as_bytes().windows(2).enumerate().rfind(ends).unwrap();
                let other = if body.as_bytes()[at] == b'x' { "y" } else { "x" };
                format!("{}{other}{}", &body[..at], &body[at + 1..])
            }
        }
    }
}

fn random() -> SystemRandom {
    SystemRandom::new()
}

fn cases() -> Vec<Case> {
    let seed = [7; 32];
    let ed25519 = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random()).unwrap();
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random()).unwrap();
    let point = p256.public_key().as_ref();
    // SubjectPublicKeyInfo: the head of every P-256 key (RFC 5480), and the point.
    let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    let spki = BASE64_STANDARD.encode([&head, point].concat());
    let private = BASE64_STANDARD.encode(pkcs8.as_ref());
    let bare = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let ec = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": bare(&point[1..33]), "y": bare(&point[33..])});
    vec![
        Case::shared("github", "tern:github", PLAIN),
        Case::shared("github", "github", PLAIN),
        Case::shared("stripe", "tern:stripe", PLAIN),
        Case::shared("stripe", "stripe", PLAIN),
        Case::shared("clerk", "tern:clerk", WHSEC),
        Case::shared("shopify", "tern:shopify", PLAIN),
        Case::shared("polar", "tern:polar", PLAIN),
        Case::shared("paddle", "tern:paddle", PLAIN),
        Case::shared("paddle", "paddle", PLAIN),
        Case::shared("razorpay", "tern:razorpay", PLAIN),
        Case::shared("lemonsqueezy", "tern:lemonsqueezy", PLAIN),
        Case::shared("workos", "tern:workos", PLAIN),
        Case::shared("woocommerce", "tern:woocommerce", PLAIN),
        Case::shared("doppler", "tern:doppler", PLAIN),
        Case::shared("sanity", "sanity", PLAIN),
        Case::shared("linear", "linear", PLAIN),
        Case::shared("resend", "resend", WHSEC),
        Case::shared("svix", "svix", WHSEC),
        Case::shared("standard-webhooks", "standard-webhooks", WHSEC),
        Case::shared("openai", "standard-webhooks", WHSEC),
        Case::shared("gitlab-signed", "standard-webhooks", WHSEC),
        Case::shared("adyen", "adyen", super::adyen::KEY),
        Case::shared("twilio", "twilio", PLAIN),
        Case::pair("discord", "discord", hex::encode(ed25519.public_key()), hex::encode(seed)),
        Case::pair("sendgrid", "sendgrid", spki, private.clone()),
        Case::set("plaid", ec, private),
    ]
}

/// `lychgate ARGUMENTS` with this case's source, and its key in the environment.
fn lychgate(case: &Case, arguments: &[&str]) -> Ran {
    let directory = Directory::new("judged");
    let file = directory.path().join("lychgate.toml");
    case.settings().write(&file);
    let mut command = Program::Lychgate.command();
    command.args(arguments).arg("--config").arg(&file).current_dir(directory.path());
    if let Some(key) = &case.key {
        command.args(["--key", "env:JUDGED_KEY"]).env("JUDGED_KEY", key);
    }
    ran(&mut command)
}

/// What a library is shown.
struct Shown {
    url: String,
    headers: Value,
    body: String,
}

async fn sent(case: &Case) -> Shown {
    let receiver = Receiver::start(|_| Answer::json(200, &json!({}))).await;
    let url = receiver.url();
    let done = lychgate(case, &["send", "--source", "judged", "--type", "order.created", "--url", &url]);
    let seen = receiver.seen();
    let [request] = seen.as_slice() else { panic!("{}: {done:?}", case.preset) };
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    Shown {
        url: format!("{url}{}", request.path),
        headers: Value::Object(headers),
        body: String::from_utf8(request.body.to_vec()).unwrap(),
    }
}

/// The curl line that `check` prints, as a shell would read it.
fn printed(case: &Case) -> Shown {
    let done = lychgate(case, &["check", "--source", "judged"]);
    let line = done.out.split("\ncurl ").nth(1).unwrap_or_else(|| panic!("{}: {done:?}", case.preset));
    let words: Vec<String> =
        line.trim_end().replace(r"'\''", "\u{1}").split('\'').map(|w| w.replace('\u{1}', "'")).collect();
    // Every other one is quoted: the address, the headers, the body.
    let quoted: Vec<&String> = words.iter().skip(1).step_by(2).collect();
    let ([url, headers @ ..], body) = (&quoted[..quoted.len() - 1], quoted[quoted.len() - 1]) else { panic!("{line}") };
    let header = |text: &&String| {
        let (name, value) = text.split_once(": ").unwrap();
        (name.to_owned(), Value::from(value))
    };
    Shown { url: (*url).clone(), headers: Value::Object(headers.iter().map(header).collect()), body: body.clone() }
}

#[tokio::test]
async fn vendors_libraries_take_what_our_own_signer_makes_and_not_with_another_byte() {
    let judges = Sdk::judges();
    for case in cases() {
        for (how, shown) in [("send", sent(&case).await), ("check", printed(&case))] {
            let asked = |secret: &str, body: &str| judges.judge(case.judge, secret, &shown.url, &shown.headers, body);
            let what = format!("{} of {how}, judged by {}: {}", case.preset, case.judge, shown.body);
            assert_eq!(asked(&case.secret, &shown.body), Ok(()), "{what}");
            let flipped = case.flipped(&shown.body);
            assert_eq!(flipped.len(), shown.body.len(), "{what}");
            assert!(flipped != shown.body && asked(&case.secret, &flipped).is_err(), "another byte: {what}");
        }
    }
}

/// A shop's, judged by the library that Saleor signs with.
fn saleor() -> Case {
    let rsa = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(RSA.trim()).unwrap()).unwrap();
    let rsa = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(rsa.public());
    let bare = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let key = json!({"kty": "RSA", "alg": "RS256", "kid": "k", "n": bare(&rsa.n), "e": bare(&rsa.e)});
    Case::set("saleor", key, RSA.trim().to_owned())
}

#[tokio::test]
async fn libraries_for_python_take_what_our_own_signer_makes_and_not_with_another_byte() {
    let sdk = Sdk::python();
    for case in [Case::shared("slack", "slack", PLAIN), saleor()] {
        for shown in [sent(&case).await, printed(&case)] {
            assert_eq!(sdk.verify(case.judge, &case.secret, &shown.headers, &shown.body), Ok(()), "{}", shown.body);
            let flipped = case.flipped(&shown.body);
            assert!(sdk.verify(case.judge, &case.secret, &shown.headers, &flipped).is_err(), "{flipped}");
        }
    }
}

#[test]
fn what_only_a_sender_can_sign_is_not_pretended() {
    for case in cases().into_iter().chain([saleor()]).filter(|case| case.key.is_some()) {
        let keyless = Case { key: None, ..case };
        let check = lychgate(&keyless, &["check", "--source", "judged"]);
        assert!(check.code == 0 && check.out.contains("no sample"), "{check:?}");
        let send = lychgate(&keyless, &["send", "--source", "judged", "--type", "t", "--url", "http://127.0.0.1:1"]);
        assert!(send.code == 2 && send.err.contains("--key"), "{send:?}");
    }
}
