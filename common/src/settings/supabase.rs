//! `[supabase]`: where IBAM's auth users are kept, if not in our own table. `[ibam]`: its catalogue and its mails.

use std::time::Duration;

use url::Url;

use super::setting::section;
use crate::secret::Secret;

section! {
    /// Supabase Auth. Without a URL the auth users are rows of `auth_users`.
    pub struct SupabaseSettings in "supabase" {
        /// The project's https URL, as its dashboard shows it. Unset: auth users are kept in our own table alone.
        url: Option<Url> = None;
        /// The project's service key, by reference. It may create users, so it belongs to the worker only.
        service_key: Option<Secret> = None;
        /// How long one request may take.
        timeout: Duration = Duration::from_secs(5), in Duration::from_millis(50)..=Duration::from_secs(60);
        /// Failures in a row after which Supabase is left alone for a while.
        breaker_failures: u16 = 5, in 1..=1000;
        /// How long it is left alone before one request probes it.
        breaker_pause: Duration = Duration::from_secs(30), in Duration::from_millis(10)..=Duration::from_secs(3600);
        /// Whether Supabase may have a private or loopback address. Only for one that you host yourself.
        allow_private: bool = false;
    }
}

section! {
    /// IBAM's learners.
    pub struct IbamSettings in "ibam" {
        /// How long tag map, courses and tiers are remembered: how late a change of them may take effect.
        catalogue_memory: Duration = Duration::from_secs(2), in Duration::ZERO..=Duration::from_secs(300);
        /// The page that signs a learner in; the mail's link is this with `token` added to its query. The token is made
        /// from `secrets.encryption_key`, so that it is stored nowhere. Unset: no mail is queued, and tokens are handed
        /// out with `lychgate magic-token issue`.
        magic_link: Option<Url> = None;
    }
}
