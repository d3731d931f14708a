//! The registered claims of a token whose signature is good (RFC 7519, 4.1), and the digest of the body among them.

use serde_json::{Map, Value};

use super::{
    super::super::{reading::Reading, refused::Refused},
    Jws, JwsPayload,
};

/// Holds a token's claims to what the source wants.
pub(super) fn check(jws: &Jws, payload: &[u8], reading: &Reading<'_>) -> Result<(), Refused> {
    let claims: Map<String, Value> =
        serde_json::from_slice(payload).map_err(|_| Refused::token("its payload is no JSON object"))?;
    times(jws, &claims, reading)?;
    parties(jws, &claims)?;
    match &jws.payload {
        JwsPayload::Claims | JwsPayload::Detached => Ok(()),
        JwsPayload::Digest { claim } => super::payload::digest(claims.get(&**claim), claim, reading.body()),
    }
}

fn times(jws: &Jws, claims: &Map<String, Value>, reading: &Reading<'_>) -> Result<(), Refused> {
    let time = |name: &'static str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Refused::token(format!("`{name}` must be a number of seconds"))),
    };
    let now = reading.request().received_at.as_duration().as_secs_f64();
    let leeway = jws.leeway.as_secs_f64();
    match time("exp")? {
        Some(exp) if now >= exp + leeway => return Err(Refused::token("it has expired")),
        None if jws.expires => return Err(Refused::token("`exp` is missing: it must expire")),
        Some(_) | None => {}
    }
    if time("nbf")?.is_some_and(|nbf| nbf > now + leeway) {
        return Err(Refused::token("it is not valid yet; check the sender's clock"));
    }
    match (jws.max_age, time("iat")?) {
        (Some(max_age), Some(iat)) if now > iat + max_age.as_secs_f64() + leeway => {
            Err(Refused::token("it was issued too long ago"))
        }
        // What vouches for one body only must say since when, or it vouches for ever.
        (Some(_), None) if matches!(jws.payload, JwsPayload::Digest { .. }) => {
            Err(Refused::token("`iat` is missing: it must say when it was issued"))
        }
        (_, _) => Ok(()),
    }
}

fn parties(jws: &Jws, claims: &Map<String, Value>) -> Result<(), Refused> {
    let among = |name: &str, allowed: &[String]| match claims.get(name) {
        _ if allowed.is_empty() => true,
        Some(Value::String(one)) => allowed.contains(one),
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).any(|one| allowed.iter().any(|it| it == one)),
        Some(_) | None => false,
    };
    if !among("iss", &jws.issuers) {
        return Err(Refused::token("`iss` is not an issuer that this source takes"));
    }
    if !among("aud", &jws.audiences) {
        return Err(Refused::token("`aud` does not name this source"));
    }
    if jws.audiences.is_empty() && claims.get("aud").is_some_and(|aud| !aud.is_null()) {
        return Err(Refused::token("`aud` says whom it is for, and this source has no name: set `jwt.audience`"));
    }
    Ok(())
}
