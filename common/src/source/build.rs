//! Building a source from its profile and what the settings hand it: what cannot work is said here, never at a request.

use std::sync::Arc;

use super::{
    Inner, Source,
    fault::SourceFault,
    key::{Key, KeyFault, Keys},
    profile::Profile,
    verify::Verifier,
};
use crate::secret::Secret;

impl Source {
    /// Builds a source. `secrets` are ignored where the keys come from the store.
    pub fn new(name: &str, profile: Profile, secrets: &[Secret]) -> Result<Self, SourceFault> {
        Self::with_tokens(name, profile, secrets, &[])
    }

    /// As [`Source::new`], with tokens of their own for the ways that take one as it is. Without any, the secrets serve
    /// as tokens too.
    pub fn with_tokens(
        name: &str,
        profile: Profile,
        secrets: &[Secret],
        tokens: &[Secret],
    ) -> Result<Self, SourceFault> {
        let source_name: Arc<str> = name.into();
        let fault = |at: usize, fault| SourceFault::Secret { source_name: source_name.clone(), number: at + 1, fault };
        if let Some((setting, why)) = profile.verifier.lacks() {
            return Err(SourceFault::Unbound { source_name, setting, why });
        }
        let keys = if profile.keys_by_tenant {
            Keys::ByTenant
        } else if let Verifier::Origin(origins) = &profile.verifier {
            if origins.all().is_empty() {
                return Err(SourceFault::NoOrigin { source_name });
            }
            Keys::Fixed(Vec::new())
        } else if secrets.is_empty() && tokens.is_empty() && !profile.verifier.has_public_keys() {
            return Err(SourceFault::NoSecret { source_name });
        } else {
            let secrets = secrets
                .iter()
                .enumerate()
                .map(|(at, secret)| read_key(&profile, secret).map_err(|found| fault(at, found)));
            let token = |secret| Key::token(secret).and_then(|key| profile.verifier.admits(&key).map(|()| key));
            let tokens = tokens.iter().enumerate().map(|(at, secret)| token(secret).map_err(|found| fault(at, found)));
            Keys::Fixed(secrets.chain(tokens).collect::<Result<_, _>>()?)
        };
        Ok(Self(Arc::new(Inner { name: source_name, profile, keys })))
    }
}

/// Decodes a secret as this source's keys are written.
pub(super) fn read_key(profile: &Profile, secret: &Secret) -> Result<Key, KeyFault> {
    let key = Key::read(secret, profile.key_form)?;
    profile.verifier.admits(&key)?;
    Ok(key)
}
