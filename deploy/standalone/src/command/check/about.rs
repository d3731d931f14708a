//! What a source accepts, in words. Only describes; decides nothing.

use lychgate_common::source::{
    Algorithm, ContentTypes, HandshakeRule, Hash, Jws, JwsAt, JwsPayload, KeyAt, Keys, KnownBy, OnConflict, Place,
    Scheme, Source, Split, Verifier,
};

/// One source in a few lines, for the list of all.
pub(super) fn briefly(source: &Source) -> String {
    let limit =
        source.rate_limit().map(|rate| format!(", {} requests in {:?}", rate.requests, rate.per)).unwrap_or_default();
    let mut text = format!(
        "\nsource {} (preset {})\n  {} {}, at most {} bytes{limit}; {}",
        source.name(),
        source.preset(),
        methods(source),
        source.path(),
        source.max_body(),
        secrets(source),
    );
    for line in forward(source) {
        text.push_str(&format!("\n  {line}"));
    }
    text
}

/// Everything about one source, a line each.
pub(super) fn fully(source: &Source) -> Vec<String> {
    let profile = source.profile();
    let naming = &profile.naming;
    let mut lines = vec![
        format!("source {}, made from the preset {}", source.name(), source.preset()),
        format!("{} {}, {}, at most {} bytes", methods(source), source.path(), content(source), source.max_body()),
        format!("authenticated by {}; {}", credentials(&profile.verifier), secrets(source)),
        format!("known again by {}; {}", keys(&naming.key), conflict(source.on_conflict())),
        format!("its type: {}{}", places(&naming.kind.at), unknown(source)),
    ];
    if !naming.kind.known.is_empty() {
        lines.push(format!("types: {}", naming.kind.known.join(", ")));
    }
    match naming.split.as_ref().map(Split::array) {
        Some(None) => lines.push("an array is as many events, all of them taken or none".to_owned()),
        Some(Some(at)) => lines.push(format!("the list at {at} is as many events, all of them taken or none")),
        None => {}
    }
    if let Some(url) = source.public_url() {
        lines.push(format!("its sender knows it as {url}"));
    }
    lines.extend(handshakes(source));
    if !profile.allow.is_empty() {
        let networks: Vec<String> = profile.allow.iter().map(ToString::to_string).collect();
        lines.push(format!("only from {}", networks.join(", ")));
    }
    if let Some(rate) = source.rate_limit() {
        lines.push(format!("at most {} requests in {:?}", rate.requests, rate.per));
    }
    lines.extend(forward(source));
    lines
}

fn methods(source: &Source) -> String {
    source.methods().iter().map(|method| method.as_str()).collect::<Vec<_>>().join("/")
}

fn content(source: &Source) -> String {
    match source.content_types() {
        ContentTypes::Any => "any content type".to_owned(),
        ContentTypes::Json => "JSON".to_owned(),
        ContentTypes::Only(these) => these.join(" or "),
    }
}

fn secrets(source: &Source) -> String {
    match source.keys() {
        Keys::Fixed(keys) if keys.is_empty() => "no secret of its own".to_owned(),
        Keys::Fixed(keys) => {
            let labels: Vec<&str> = keys.iter().map(|key| key.label()).collect();
            format!("{} secret(s) in force: {}", keys.len(), labels.join(", "))
        }
        Keys::ByTenant => "a secret per campus".to_owned(),
    }
}

fn credentials(verifier: &Verifier) -> String {
    let ways = verifier.ways().iter().map(|way| match way {
        Verifier::Signed(scheme) => signature(scheme),
        Verifier::Token(token) => format!("a token in the {}", places(&token.at)),
        Verifier::Jws(jws) => {
            let names: Vec<&str> = jws.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            let at = match &jws.at {
                JwsAt::Body => "as the whole body".to_owned(),
                JwsAt::Places(at) => format!("in the {}", places(at)),
            };
            let about = match &jws.payload {
                JwsPayload::Claims => format!("{}, {}", issuer(jws), audience(jws)),
                JwsPayload::Detached => "whose payload is the body".to_owned(),
                JwsPayload::Digest { claim } => format!("with the body's SHA-256 in its claim `{claim}`"),
            };
            format!("a JSON Web Token ({}) {at}, {about}", names.join(", "))
        }
        Verifier::Certified(certified) => {
            let (at, hosts) = (certified.at(), certified.hosts());
            let past = certified.fresh.past;
            format!("a signature (RSA) in the {at}, not older than {past:?}, by a key whose certificate is on {hosts}")
        }
        Verifier::Origin(origins) => {
            let origins: Vec<&str> = origins.all().iter().map(|origin| origin.as_str()).collect();
            format!("no secret: called from pages of {}", origins.join(", "))
        }
        Verifier::Any(_) => "any of several ways".to_owned(),
    });
    ways.collect::<Vec<_>>().join(", or ")
}

fn issuer(jws: &Jws) -> String {
    match jws.issuers.as_slice() {
        [] => "its issuer is not checked (`jwt.issuer`)".to_owned(),
        these => format!("issued by {}", these.join(" or ")),
    }
}

fn audience(jws: &Jws) -> String {
    match jws.audiences.as_slice() {
        [] => "refused if it names an audience (`jwt.audience` is not set)".to_owned(),
        these => format!("for {}", these.join(" or ")),
    }
}

fn signature(scheme: &Scheme) -> String {
    let names = scheme.accepted.iter().map(|accepted| match accepted.algorithm {
        Algorithm::Hmac(Hash::Sha1) => "HMAC-SHA1",
        Algorithm::Hmac(Hash::Sha256) => "HMAC-SHA256",
        Algorithm::Hmac(Hash::Sha512) => "HMAC-SHA512",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::EcdsaP256 => "ECDSA P-256",
    });
    let names: Vec<&str> = names.collect();
    let fresh = scheme.fresh.as_ref().map(|fresh| format!(", not older than {:?}", fresh.past)).unwrap_or_default();
    format!("a signature ({}) in the {}{fresh}", names.join(" or "), places(&scheme.at))
}

fn keys(ways: &[KeyAt]) -> String {
    let words = ways.iter().map(|way| match way {
        KeyAt::Place(place) => place.to_string(),
        KeyAt::Joined(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" with "),
        KeyAt::BodyHash | KeyAt::BodyHashIf(_) => "the body itself".to_owned(),
        KeyAt::BodyHashWithout(_) => "the body itself, but for what signing adds".to_owned(),
        KeyAt::Token => "the token that came with it".to_owned(),
    });
    match ways {
        [] => "nothing: every delivery is an event".to_owned(),
        _ => words.collect::<Vec<_>>().join(", else "),
    }
}

fn conflict(conflict: OnConflict) -> &'static str {
    match conflict {
        OnConflict::Reject => "the same with another body is refused",
        OnConflict::Replay => "the same with another body is answered like the first",
        OnConflict::NewEvent => "the same with another body is another event",
    }
}

fn unknown(source: &Source) -> &'static str {
    match source.profile().naming.kind.only_known {
        true => "; a type that is not listed is refused with 400",
        false => "; a type that is not listed is accepted, and ignored if nothing has a use for it",
    }
}

/// What is answered on the spot, and what is missing for it.
fn handshakes(source: &Source) -> Vec<String> {
    let profile = source.profile();
    let said = profile.handshakes.iter().map(|rule| format!("{} ({})", rule.name, rule.method)).collect::<Vec<_>>();
    if said.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("answered on the spot, without an event: {}", said.join(", "))];
    let shows_token = |rule: &HandshakeRule| matches!(rule.known_by, KnownBy::VerifyToken(_));
    if profile.verify_tokens.is_empty() && profile.handshakes.iter().any(shows_token) {
        lines.push("no `verify_token` is set: its sender's challenge is refused".to_owned());
    }
    lines
}

fn forward(source: &Source) -> Vec<String> {
    let Some(forward) = source.forward() else { return Vec::new() };
    let to: Vec<String> = forward.destinations().iter().map(|destination| destination.shown()).collect();
    let sync = "delivered there instead of to a sync handler, signed with `forward_secret`";
    vec![format!("forwarded to {}: {sync}", to.join(" and "))]
}

fn places(all: &[Place]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
