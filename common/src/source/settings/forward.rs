//! `forward`, `forward_secret` and `forward_private` of a source.

use url::Url;

use super::super::forward::{Forward, ForwardFault};
use crate::settings::Reader;

/// Reads them; the secret is required where there is a destination, and of no use where there is none.
pub(super) fn forward(reader: &mut Reader<'_>) -> Option<Forward> {
    let urls: Vec<Url> = reader.get("forward").unwrap_or_default();
    let written = reader.has("forward_secret");
    let secrets = reader.secrets("forward_secret");
    let private = reader.flag("forward_private").unwrap_or_default();
    if urls.is_empty() {
        if written {
            reader.fault("forward_secret", "signs what is forwarded, and there is no `forward`");
        }
        return None;
    }
    let Some(secrets) = secrets.filter(|secrets| !secrets.is_empty()) else {
        if !written {
            reader.fault(
                "forward_secret",
                "is missing: it signs what is forwarded. Make one with `echo whsec_$(openssl rand -base64 32)` and give \
                 it to the receiving service, too",
            );
        }
        return None;
    };
    match Forward::new(&urls, &secrets, private) {
        Ok(forward) => Some(forward),
        Err(fault @ (ForwardFault::Credentials(_) | ForwardFault::Twice(_))) => {
            reader.fault("forward", fault.to_string());
            None
        }
        Err(fault @ (ForwardFault::Secret { .. } | ForwardFault::Public(_) | ForwardFault::Short { .. })) => {
            reader.fault("forward_secret", fault.to_string());
            None
        }
    }
}
