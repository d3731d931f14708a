//! The whole user: auth user, profile, magic token. Pure: what is known goes in, changes come out.
//!
//! Every event about a person sets what it says and leaves the rest. A magic token is made where none was made in the
//! last 24 hours; the mail that will bring it is queued in the same transaction. The plain token is stored nowhere.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row, Version},
    event::EventId,
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
use crate::handlers::mail::{self, Queued, Template};

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
    /// The mail that brings it; `None` where none is to be sent.
    pub(super) mail: Option<Welcome>,
}

/// The mail that brings a token to its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Welcome {
    key: String,
    recipient: String,
    page: Url,
}

impl Welcome {
    /// Somebody new gets one, whichever of the first events comes first; that event's token is also the one that is
    /// kept. `None` for an address that no mail reaches.
    pub(super) fn to(contact: &Contact, known: &KnownUser, event: EventId, page: &Url) -> Option<Self> {
        let recipient = mail::address(&contact.email)?.to_owned();
        let key = match known.has_profile {
            true => format!("welcome/ibam/{recipient}/{event}"),
            false => format!("welcome/ibam/{recipient}"),
        };
        Some(Self { key, recipient, page: page.clone() })
    }

    /// The mail's id, from which its token is made.
    pub(super) fn id(&self) -> Uuid {
        mail::id_of(&self.key)
    }
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
    changes.extend(token.and_then(|new| new.mail.as_ref()).map(|welcome| mail(stamp, contact, welcome)));
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

fn mail(stamp: &Stamp<'_>, contact: &Contact, welcome: &Welcome) -> Change {
    let mail = Queued {
        key: &welcome.key,
        template: Template::Welcome,
        recipient: &welcome.recipient,
        data: json!({ "name": contact.name().unwrap_or_else(|| welcome.recipient.clone()) }),
        magic_link: Some(welcome.page.as_str()),
    };
    mail.by(stamp.event)
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
