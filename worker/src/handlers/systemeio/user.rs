//! The whole user: auth user, profile, magic token. Pure: what is known goes in, changes come out.
//!
//! Every event about a person sets what it says and leaves the rest. A magic token is made where none was made in the
//! last 24 hours; the mail with it is queued in the same transaction, and the plain token is nowhere else.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row, Version},
    magic::MagicToken,
    row,
    store::KnownUser,
};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::{
    contact::Contact,
    tables::{AUTH_USERS, USER_PROFILES},
    told::Stamp,
};
use crate::handlers::mail::{self, EMAIL_QUEUE, Template};

/// Who keeps the auth user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Account {
    /// Our own table.
    Local,
    /// Supabase, already for longer.
    Kept,
    /// Supabase, as of now; its id, where it told one.
    Supabase(Option<Uuid>),
}

/// A token for somebody who has none, as of now.
#[derive(Clone, Debug)]
pub(super) struct NewToken {
    pub(super) token: MagicToken,
    pub(super) now: Timestamp,
    /// The page that takes it; `None` where no mail is to be sent.
    pub(super) page: Option<Url>,
}

/// Whether somebody needs a magic token at `now`.
pub(super) fn needs_token(known: &KnownUser, now: Timestamp) -> bool {
    known.token_expires_at.is_none_or(|expires_at| expires_at <= now)
}

/// Creates or completes a user.
pub(super) fn complete(
    stamp: &Stamp<'_>,
    contact: &Contact,
    known: &KnownUser,
    account: Account,
    token: Option<&NewToken>,
) -> Vec<Change> {
    let mut changes = vec![auth_user(stamp, &contact.email, account)];
    let issued = token.map(|new| {
        row! {
            "magic_token" => new.token.fingerprint().as_str(),
            "magic_token_expires_at" => new.token.expires_at(new.now),
        }
    });
    let (initial, replacement) = if known.has_profile { (None, issued) } else { (issued, None) };
    changes.push(Change::Merge {
        table: &USER_PROFILES,
        row: profile(contact),
        // Of several events about somebody new, the first one's token and mail hold.
        initial: initial.unwrap_or_default(),
        version: stamp.version.clone(),
        only_existing: false,
    });
    changes.extend(token.and_then(|new| mail(stamp, contact, known, new)));
    changes.extend(thin(stamp, contact));
    if let (Some(mut columns), Some(new)) = (replacement, token) {
        columns.insert("email".to_owned(), contact.email.as_str().into());
        // As new as its making, not as the event: an old event's token is no older for that.
        changes.push(Change::merge(&USER_PROFILES, columns, Version::at(new.now, stamp.event.id)));
    }
    changes
}

fn auth_user(stamp: &Stamp<'_>, email: &str, account: Account) -> Change {
    let mut row = row! { "email" => email };
    let mut initial = row! { "id" => stamp.event.id };
    match account {
        Account::Local => drop(initial.insert("provider".to_owned(), "local".into())),
        Account::Kept => {}
        Account::Supabase(id) => {
            row.insert("provider".to_owned(), "supabase".into());
            if let Some(id) = id {
                row.insert("provider_id".to_owned(), json!(id));
            }
        }
    }
    Change::Merge { table: &AUTH_USERS, row, initial, version: stamp.version.clone(), only_existing: false }
}

/// The mail that brings the token to its owner. Somebody new gets one, whichever of the first events comes first; that
/// event's token is also the one that is kept.
fn mail(stamp: &Stamp<'_>, contact: &Contact, known: &KnownUser, new: &NewToken) -> Option<Change> {
    let mut link = new.page.clone()?;
    let recipient = mail::address(&contact.email)?;
    link.query_pairs_mut().append_pair("token", new.token.expose());
    let key = match known.has_profile {
        true => format!("welcome/ibam/{recipient}/{}", stamp.event.id),
        false => format!("welcome/ibam/{recipient}"),
    };
    let row = row! {
        "dedupe_key" => key,
        "template" => Template::Welcome.name(),
        "recipient" => recipient,
        "data" => json!({
            "name": contact.name().unwrap_or_else(|| recipient.to_owned()),
            "link": link.as_str(),
            "expires_at": new.token.expires_at(new.now),
        }),
        "source" => *stamp.event.source,
        "event_id" => stamp.event.id,
    };
    Some(Change::append(&EMAIL_QUEUE, row))
}

/// What a sender that knows only a part knows of the name and the fields: better than nothing, and older than anything,
/// so that it never replaces the whole.
fn thin(stamp: &Stamp<'_>, contact: &Contact) -> Option<Change> {
    let sure = profile(contact);
    let mut row = row! { "email" => contact.email };
    let mut fill = |column: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|_| !sure.contains_key(column)) {
            row.insert(column.to_owned(), value);
        }
    };
    fill("name", contact.name().map(Value::from));
    fill("fields", (!contact.fields.is_empty()).then(|| Value::Object(contact.fields.clone())));
    let version = Version::told(Timestamp::UNIX_EPOCH, stamp.version.as_str());
    (row.len() > 1).then(|| Change::merge(&USER_PROFILES, row, version))
}

/// What the event says of the person, and nothing else.
fn profile(contact: &Contact) -> Row {
    let mut row = row! { "email" => contact.email };
    let mut set = |column: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(column.to_owned(), value);
        }
    };
    let text = |text: Option<&str>| text.map(Value::from);
    set("contact_id", text(contact.id.as_deref()));
    set("locale", text(contact.locale.as_deref()));
    set("source_url", text(contact.source_url.as_deref()));
    set("registered_at", contact.registered_at.map(|at| json!(at)));
    set("unsubscribed", contact.unsubscribed.map(Value::from));
    set("bounced", contact.bounced.map(Value::from));
    set("first_name", text(contact.first_name()));
    set("last_name", text(contact.last_name()));
    // Half a name from a sender that knows half must not replace a whole one.
    let whole = contact.whole || (contact.first_name().is_some() && contact.last_name().is_some());
    set("name", contact.name().filter(|_| whole || contact.first_name().is_none()).map(Value::from));
    set("fields", contact.whole.then(|| Value::Object(contact.fields.clone())));
    row
}
