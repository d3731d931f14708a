//! The sender's side: a request such as a source's real sender would make, signed.
//!
//! Used by `lychgate send` and by tests. Follows the same profile that verifies, and is held to the senders' published
//! vectors, so that a mistake in the profile cannot hide in both.

mod jwt;

use base64::Engine as _;
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use thiserror::Error;

use super::{
    Source,
    identify::KeyAt,
    key::{BASE64, Key, KeyFault, KeyForm},
    limits::ContentTypes,
    place::Place,
    reading::Reading,
    refused::Refused,
    reply::JSON,
    request::Request,
    sample::Draft,
    time::TimeAt,
    verify::{Accepted, Algorithm, Scheme, SignatureForm, Verifier, mac},
};
use crate::secret::Secret;

/// A request that could not be made.
#[derive(Debug, Error)]
pub enum SignFault {
    /// The key is of no use.
    #[error("the signing key {0}")]
    Key(#[from] KeyFault),
    /// The key is not of the kind that the source's sender signs with.
    #[error("the signing key is not of the kind that this source's sender signs with")]
    WrongKind,
    /// Something given cannot stand in a header or path.
    #[error("`{0}` cannot stand in a request's head")]
    Unfit(String),
    /// The body lacks what is signed.
    #[error(transparent)]
    Body(#[from] Refused),
}

/// A signed request, ready to be sent to the source's public URL.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query below the gateway's address.
    pub target: String,
    /// The headers, `Host` and `Content-Length` left to the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a sender signs with.
enum SigningKey {
    Shared(Secret),
    Ed25519(Ed25519KeyPair),
    P256(Box<EcdsaKeyPair>),
}

/// Makes the request that `source`'s sender would make for `draft`, with `body` instead of the sample where given.
/// `secret` is what signs: the shared secret, or for public-key schemes the private half (`whsk_…`, an Ed25519 seed in hex,
/// PKCS#8 in base64). `public_url` is the URL that URL-signing senders sign.
pub fn sign(
    source: &Source,
    secret: &Secret,
    draft: &Draft<'_>,
    body: Option<Bytes>,
    public_url: Option<&str>,
) -> Result<Outgoing, SignFault> {
    let profile = source.profile();
    let mut outgoing = Outgoing {
        method: profile.methods.first().cloned().unwrap_or(Method::POST),
        target: profile
            .path
            .filled(|name| if name == "eventType" { draft.kind.to_owned() } else { draft.id.to_owned() }),
        headers: HeaderMap::new(),
        body: body.unwrap_or_else(|| source.sample(draft)),
    };
    let content_type = match profile.content_types {
        ContentTypes::Only(types) => types.first().copied().unwrap_or(JSON),
        ContentTypes::Any | ContentTypes::Json => JSON,
    };
    outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    outgoing.headers.insert(USER_AGENT, HeaderValue::from_static("lychgate-send"));
    name(source, draft, &mut outgoing)?;
    match way(&profile.verifier, secret) {
        Some(Verifier::Token(token)) => {
            let text = secret.expose_str().ok_or(SignFault::WrongKind)?;
            put_first(&token.at, text, &mut outgoing)?;
        }
        Some(Verifier::Signed(scheme)) => {
            put_first(&scheme.id, draft.id, &mut outgoing)?;
            let time = scheme.fresh.as_ref().map(|fresh| fresh.form.write(draft.at));
            if let (Some(time), Some(TimeAt::Places(places))) = (&time, scheme.fresh.as_ref().map(|fresh| &fresh.at)) {
                put_first(places, time, &mut outgoing)?;
            }
            let key = signing_key(secret, profile.key_form)?;
            let value = value(scheme, &key, draft, time.as_deref(), &outgoing, public_url)?;
            put_first(&scheme.at, &value, &mut outgoing)?;
        }
        Some(Verifier::Origin(origins)) => {
            let first = origins.all().first().ok_or(SignFault::WrongKind)?;
            put_in_head(&Place::header("origin"), first.as_str(), &mut outgoing)?;
        }
        Some(Verifier::Jws(jws)) => jwt::put(jws, secret, draft, &mut outgoing)?,
        // Only its sender has the key, and the address where its certificate is.
        Some(Verifier::Certified(_) | Verifier::Any(_)) | None => return Err(SignFault::WrongKind),
    }
    Ok(outgoing)
}

/// Where a source knows its sender in several ways: a private key makes tokens, and a secret signs before it is sent as
/// it is.
fn way<'v>(verifier: &'v Verifier, secret: &Secret) -> Option<&'v Verifier> {
    let ways = verifier.ways();
    let private = jwt::is_private_key(secret);
    let jws = |way: &&Verifier| matches!(way, Verifier::Jws(_));
    let signed = |way: &&Verifier| matches!(way, Verifier::Signed(_));
    let first = ways.iter().find(|way| if private { jws(way) } else { signed(way) });
    first.or_else(|| ways.first())
}

/// Type, id and time, where the sender names them outside the body.
fn name(source: &Source, draft: &Draft<'_>, outgoing: &mut Outgoing) -> Result<(), SignFault> {
    let naming = &source.profile().naming;
    let kind = match (&naming.kind.suffix, draft.kind.split_once('.')) {
        (Some(_), Some((kind, _))) => kind,
        (Some(_), None) | (None, _) => draft.kind,
    };
    for place in naming.kind.at.iter().take(1).chain(&naming.kind.agrees_with) {
        put_in_head(place, kind, outgoing)?;
    }
    for key in &naming.key {
        if let KeyAt::Place(place) = key {
            put_in_head(place, draft.id, outgoing)?;
        }
    }
    if let Some((place, form)) = &naming.occurred_at {
        put_in_head(place, &form.write(draft.at), outgoing)?;
    }
    Ok(())
}

/// The signature's value, laid out as the sender lays it out.
fn value(
    scheme: &Scheme,
    key: &SigningKey,
    draft: &Draft<'_>,
    time: Option<&str>,
    outgoing: &Outgoing,
    public_url: Option<&str>,
) -> Result<String, SignFault> {
    let uri: Uri = outgoing.target.parse().map_err(|_| SignFault::Unfit(outgoing.target.clone()))?;
    let first;
    let body = match &scheme.each {
        // A sample brings one event.
        Some(each) => {
            first =
                each.split.events(&outgoing.body)?.into_iter().flatten().next().ok_or(Refused::CredentialsMissing)?;
            &first
        }
        None => &outgoing.body,
    };
    let request = Request {
        method: &outgoing.method,
        uri: &uri,
        public_url,
        headers: &outgoing.headers,
        params: &[],
        body,
        received_at: draft.at,
    };
    let reading = Reading::of(&request);
    let fits = |accepted: &&Accepted| key.makes(accepted.algorithm);
    let accepted = scheme.accepted.iter().find(fits).ok_or(SignFault::WrongKind)?;
    let bytes = key.sign(accepted.algorithm, |take| scheme.signed.render(&reading, time, Some(draft.id), take))?;
    let signature = scheme.encoding.encode(&bytes);
    Ok(match &scheme.form {
        SignatureForm::Bare => signature,
        SignatureForm::Prefix { prefix, .. } => format!("{prefix}{signature}"),
        SignatureForm::Pairs { between, within } => {
            let label = accepted.label.as_deref().unwrap_or_default();
            let signed = format!("{label}{within}{signature}");
            match (scheme.fresh.as_ref().map(|fresh| &fresh.at), time) {
                (Some(TimeAt::Pair(label)), Some(time)) => format!("{label}{within}{time}{between}{signed}"),
                (_, _) => signed,
            }
        }
    })
}

impl SigningKey {
    fn makes(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Self::Shared(_), Algorithm::Hmac(_))
            | (Self::Ed25519(_), Algorithm::Ed25519)
            | (Self::P256(_), Algorithm::EcdsaP256) => true,
            (Self::Shared(_) | Self::Ed25519(_) | Self::P256(_), _) => false,
        }
    }

    fn sign(
        &self,
        algorithm: Algorithm,
        render: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Refused>,
    ) -> Result<Vec<u8>, SignFault> {
        let mut message = Vec::new();
        match (self, algorithm) {
            (Self::Shared(secret), Algorithm::Hmac(hash)) => return Ok(mac(hash, secret.expose(), render)?),
            (_, _) => render(&mut |piece| message.extend_from_slice(piece))?,
        }
        match self {
            Self::Ed25519(pair) => Ok(pair.sign(&message).as_ref().to_vec()),
            Self::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), &message).map_err(|_| SignFault::WrongKind)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Shared(_) => Err(SignFault::WrongKind),
        }
    }
}

fn signing_key(secret: &Secret, form: KeyForm) -> Result<SigningKey, SignFault> {
    let seed = |bytes: Vec<u8>| {
        Ed25519KeyPair::from_seed_unchecked(&bytes).map(SigningKey::Ed25519).map_err(|_| SignFault::WrongKind)
    };
    let not_base64 = |_| SignFault::Key(KeyFault::NotEncoded("base64"));
    match (form, secret.expose().strip_prefix(b"whsk_")) {
        (KeyForm::StandardWebhooks, Some(encoded)) => seed(BASE64.decode(encoded).map_err(not_base64)?),
        (KeyForm::Ed25519Hex, _) => {
            seed(hex::decode(secret.expose()).map_err(|_| SignFault::Key(KeyFault::NotEncoded("hex")))?)
        }
        (KeyForm::P256Spki, _) => {
            let pkcs8 = BASE64.decode(secret.expose()).map_err(not_base64)?;
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &SystemRandom::new())
                .map(|pair| SigningKey::P256(Box::new(pair)))
                .map_err(|_| SignFault::WrongKind)
        }
        (KeyForm::Text | KeyForm::Hex | KeyForm::Base64 | KeyForm::StandardWebhooks, _) => {
            Key::read(secret, form)?.shared().cloned().map(SigningKey::Shared).ok_or(SignFault::WrongKind)
        }
    }
}

fn put_first(places: &[Place], text: &str, outgoing: &mut Outgoing) -> Result<(), SignFault> {
    places.first().map_or(Ok(()), |place| put(place, text, outgoing))
}

/// Puts a value where it belongs, unless that is the body, which the sample has filled.
fn put_in_head(place: &Place, text: &str, outgoing: &mut Outgoing) -> Result<(), SignFault> {
    if place.in_body() { Ok(()) } else { put(place, text, outgoing) }
}

fn put(place: &Place, text: &str, outgoing: &mut Outgoing) -> Result<(), SignFault> {
    let header = |text: &str| HeaderValue::from_str(text).map_err(|_| SignFault::Unfit(text.to_owned()));
    match place {
        Place::Header(name) => drop(outgoing.headers.insert(name, header(text)?)),
        Place::Bearer => drop(outgoing.headers.insert(AUTHORIZATION, header(&format!("Bearer {text}"))?)),
        Place::Query(name) => {
            let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, text).finish();
            let between = if outgoing.target.contains('?') { '&' } else { '?' };
            outgoing.target.push(between);
            outgoing.target.push_str(&pair);
        }
        // The path was filled when the request was begun.
        Place::Path(_) => {}
        Place::Field(pointer) => {
            let mut body: serde_json::Value = serde_json::from_slice(&outgoing.body)
                .map_err(|fault| Refused::BodyNotJson { why: fault.to_string() })?;
            if let Some(field) = body.pointer_mut(pointer.as_str()) {
                // A time that is a number stays one.
                let number = field.is_number().then(|| text.parse::<i64>().ok()).flatten();
                *field = number.map_or_else(|| text.into(), Into::into);
                outgoing.body = Bytes::from(body.to_string());
            }
        }
    }
    Ok(())
}
