//! The link that signs a mail's reader in: made for each attempt anew, and the same each time.
//!
//! The token follows from the mail's id and a key that is not in the database, where only its hash is, in the profile, since
//! the event that queued the mail. A mail that waited longer than the token lives gets its time anew; one whose token
//! was used, or replaced by a newer, has nothing to say any more.

use jiff::{Timestamp, tz::TimeZone};
use lychgate_common::{
    change::{Change, Version},
    event::Event,
    magic::MagicToken,
    row,
    store::{KnownToken, Mail, Store},
    vault::Vault,
};
use url::Url;

use super::ours;
use crate::{handler::Failure, handlers::systemeio::USER_PROFILES};

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Link {
    /// The mail can go.
    Live {
        /// With the token.
        link: String,
        /// For people.
        expires_at: String,
        /// What is to be written with it.
        renewal: Option<Box<Change>>,
    },
    /// The mail need not go; why.
    Moot(&'static str),
}

/// Makes the link of a mail.
pub(super) async fn link(
    store: &Store,
    vault: Option<&Vault>,
    event: &Event,
    mail: &Mail,
    page: &str,
) -> Result<Link, Failure> {
    let Some(vault) = vault else {
        let words = "secrets.encryption_key is not set, from which the mail's token is made";
        return Err(Failure::Ours(crate::handler::Cause::new("mail_no_key", words)));
    };
    let Ok(page) = Url::parse(page) else {
        return Err(Failure::permanent("mail_link", "the page of the mail's link is no URL"));
    };
    let known = store.magic_token_of(&mail.recipient).await.map_err(ours)?;
    let Some(known) = known else {
        return Err(Failure::permanent("mail_nobody", "nobody with this address has a profile to sign in to"));
    };
    let tokens: Vec<_> = MagicToken::of_mail(vault, mail.id).collect();
    Ok(decide(&known, &tokens, event, mail, page, store.clock().now()))
}

fn decide(
    known: &KnownToken,
    tokens: &[MagicToken],
    event: &Event,
    mail: &Mail,
    mut page: Url,
    now: Timestamp,
) -> Link {
    let Some(stored) = &known.fingerprint else { return Link::Moot("its token has signed somebody in already") };
    let expired = known.expires_at.is_none_or(|expires_at| expires_at <= now);
    let ours = tokens.iter().find(|token| token.fingerprint().matches(stored));
    let (token, expires_at, renewal) = match (ours, known.expires_at, tokens.first()) {
        (Some(token), Some(expires_at), _) if !expired => (token, expires_at, None),
        (None, _, _) if !expired => return Link::Moot("a newer token has taken its token's place"),
        (ours, _, current) => {
            let Some(token) = ours.or(current) else { return Link::Moot("there is no key to make its token with") };
            let expires_at = token.expires_at(now);
            let row = row! {
                "email" => mail.recipient,
                "magic_token" => token.fingerprint().as_str(),
                "magic_token_expires_at" => expires_at,
            };
            let version = Version::at(now, event.id);
            let renewal = Change::Merge { table: &USER_PROFILES, row, initial: row! {}, version, only_existing: true };
            (token, expires_at, Some(Box::new(renewal)))
        }
    };
    page.query_pairs_mut().append_pair("token", token.expose());
    let expires_at = expires_at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
    Link::Live { link: page.into(), expires_at, renewal }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lychgate_common::{event::EventId, secret::Secret};
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;

    fn noon() -> Timestamp {
        "2026-09-27T12:00:00Z".parse().unwrap()
    }

    fn decided(known: &KnownToken, vault: &Vault) -> Link {
        let mail = Mail {
            id: Uuid::nil(),
            recipient: "jane@example.com".into(),
            data: Map::new(),
            magic_link: None,
            created_at: noon(),
            template_name: "welcome".into(),
            template: None,
        };
        let event = Event {
            id: EventId::new(noon()),
            source: "mail".into(),
            preset: "mail".into(),
            tenant: "".into(),
            kind: "welcome".into(),
            subject: None,
            occurred_at: None,
            received_at: noon(),
            body: Bytes::new(),
        };
        let tokens: Vec<_> = MagicToken::of_mail(vault, mail.id).collect();
        decide(known, &tokens, &event, &mail, "https://ibam.example/in?lang=en".parse().unwrap(), noon())
    }

    #[test]
    fn a_link_is_the_same_each_time_survives_a_new_key_and_is_renewed_when_it_waited_too_long() {
        let key = |byte: u8| Secret::new(vec![byte; 32]);
        let vault = Vault::new(&key(1), &[]).unwrap();
        let token = MagicToken::of_mail(&vault, Uuid::nil()).next().unwrap();
        let fingerprint = Some(token.fingerprint().as_str().to_owned());
        let live = KnownToken { fingerprint: fingerprint.clone(), expires_at: Some(token.expires_at(noon())) };
        let expected = Link::Live {
            link: format!("https://ibam.example/in?lang=en&token={}", token.expose()),
            expires_at: "2026-09-28 12:00 UTC".into(),
            renewal: None,
        };
        assert_eq!(decided(&live, &vault), expected);
        assert_eq!(decided(&live, &Vault::new(&key(2), &[key(1)]).unwrap()), expected);

        let late = KnownToken { fingerprint: fingerprint.clone(), expires_at: Some(noon()) };
        let Link::Live { link, renewal: Some(renewal), .. } = decided(&late, &vault) else { panic!("it is renewed") };
        let Change::Merge { row, .. } = *renewal else { panic!("{renewal:?}") };
        assert!(link.ends_with(token.expose()));
        assert_eq!(
            (row["magic_token"].as_str(), row["magic_token_expires_at"].as_str()),
            (fingerprint.as_deref(), Some("2026-09-28T12:00:00Z"))
        );

        for (fingerprint, words) in [(None, "signed somebody in"), (Some("other".to_owned()), "a newer token")] {
            let moot = decided(&KnownToken { fingerprint, expires_at: live.expires_at }, &vault);
            assert!(matches!(moot, Link::Moot(why) if why.contains(words)), "{moot:?}");
        }
    }
}
