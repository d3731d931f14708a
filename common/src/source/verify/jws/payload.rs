//! What a token says, and how it vouches for the body: not at all, by standing for it (detached), or by its digest.

use std::borrow::Cow;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    super::super::{key::BASE64_URL_BARE, refused::Refused},
    Compact, Header,
};
use crate::secret::Secret;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwsPayload {
    /// Claims: who sends, or, where the whole body is the token, the event itself.
    Claims,
    /// Nothing itself: the body stands in its payload's place. As it is where the token says `"b64": false` (RFC 7797),
    /// else in base64url (RFC 7515, appendix F).
    Detached,
    /// Claims, one of which is the body's SHA-256 in hex.
    Digest {
        /// The claim.
        claim: Cow<'static, str>,
    },
}

/// The one extension that is understood, and only of detached payloads.
const B64: &str = "b64";

impl JwsPayload {
    /// Refuses a token with extensions that are not understood. The library that Saleor signs with has long said `b64`
    /// without calling it critical, as RFC 7797 wants it to; for a token that is never read as another kind that makes no
    /// difference.
    pub(super) fn extensions(&self, header: &Header) -> Result<(), Refused> {
        let detached = *self == Self::Detached;
        let understood = match &header.crit {
            None => true,
            Some(Value::Array(names)) => detached && header.b64.is_some() && *names == [B64],
            Some(_) => false,
        };
        if !understood {
            return Err(Refused::token("it has critical extensions, which are not understood here"));
        }
        if header.b64 == Some(false) && !detached {
            return Err(Refused::token("its payload is not encoded, which is not understood here"));
        }
        Ok(())
    }

    /// The bytes under the signature.
    pub(super) fn signed<'t>(&self, token: &Compact<'t>, body: &Bytes) -> Result<Cow<'t, [u8]>, Refused> {
        if *self != Self::Detached {
            return Ok(Cow::Borrowed(token.signed.as_bytes()));
        }
        if !token.payload.is_empty() {
            return Err(Refused::token("it has a payload of its own: the body is to stand in its place"));
        }
        // It ends with the dot behind which the payload would stand.
        let mut signed = token.signed.as_bytes().to_vec();
        match token.header.b64 {
            Some(false) => signed.extend_from_slice(body),
            Some(true) | None => signed.extend_from_slice(BASE64_URL_BARE.encode(body).as_bytes()),
        }
        Ok(Cow::Owned(signed))
    }
}

/// Holds the body to the digest that a token claims.
pub(super) fn digest(claimed: Option<&Value>, claim: &str, body: &Bytes) -> Result<(), Refused> {
    let Some(claimed) = claimed.and_then(Value::as_str) else {
        return Err(Refused::token(format!("`{claim}` is missing: it must be the body's SHA-256")));
    };
    let actual = Secret::new(hex::encode(Sha256::digest(body)));
    if actual.matches(claimed.as_bytes()) {
        Ok(())
    } else {
        Err(Refused::token(format!("`{claim}` is not the SHA-256 of this body")))
    }
}
