//! IBAM, fed by Systeme.io (system A): users, courses, payments, memberships, church leaders.
//!
//! Four senders, one handler that speaks three ways: the settings webhooks and the automation rules tell of learning,
//! a third of memberships, a fourth of church leaders. Each creates or completes the whole user whom its event is about:
//! auth user (at Supabase where that is configured, in `auth_users` always), profile, magic token. Looks up what it
//! needs, decides in the files beside, writes nothing. Making Supabase create a user is the one thing it does outside,
//! safe to repeat and left out of rehearsals.

mod catalogue;
mod church_leader;
mod contact;
mod learning;
mod membership;
mod sale;
mod subscription;
mod tables;
mod told;
mod user;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lychgate_common::{
    change::Change,
    event::Event,
    magic::MagicToken,
    settings::IbamSettings,
    store::{KnownUser, Store, StoreError},
    vault::Vault,
};
use serde_json::{Value, json};
use url::Url;

pub use self::tables::TABLES;
pub(crate) use self::tables::USER_PROFILES;
use self::{
    catalogue::{Catalogue, Remembered},
    contact::Contact,
    told::{Stamp, Told},
    user::{Account, NewToken, Welcome},
};
use crate::{
    handler::{Cause, Failure, Handled, Handler},
    handlers::fields::{self, Fields},
    supabase::{Supabase, SupabaseError},
};

/// The presets that this handler is for.
pub const PRESETS: [&str; 4] = ["systemeio", "systemeio-automation", "systeme-membership", "systeme-church-leader"];

/// What a sender tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Speaks {
    Learning,
    Memberships,
    Leaders,
}

/// The handler of IBAM's four presets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SystemeIo {
    rooms: Arc<Rooms>,
    speaks: Speaks,
}

#[derive(Debug)]
struct Rooms {
    store: Store,
    catalogue: Remembered,
    supabase: Option<Supabase>,
    magic_link: Option<Url>,
    /// What the tokens in mails are made with.
    vault: Option<Arc<Vault>>,
}

/// What is to be done about a person, and what a waiting sender is told.
struct User {
    changes: Vec<Change>,
    reply: Value,
}

impl SystemeIo {
    /// One handler for each of [`PRESETS`], in their order.
    pub fn handlers(
        store: Store,
        supabase: Option<Supabase>,
        vault: Option<Arc<Vault>>,
        settings: &IbamSettings,
    ) -> [(&'static str, Self); PRESETS.len()] {
        let catalogue = Remembered::new(store.clone(), settings.catalogue_memory);
        let rooms = Arc::new(Rooms { store, catalogue, supabase, magic_link: settings.magic_link.clone(), vault });
        PRESETS.map(|preset| {
            let speaks = match preset {
                "systeme-membership" => Speaks::Memberships,
                "systeme-church-leader" => Speaks::Leaders,
                _ => Speaks::Learning,
            };
            (preset, Self { rooms: Arc::clone(&rooms), speaks })
        })
    }

    async fn changes(&self, event: &Event, in_earnest: bool) -> Result<Handled, Failure> {
        let payload = fields::parse(&event.body)?;
        let message_id = self.rooms.store.ibam_message_id(event.id).await.map_err(ours)?;
        let stamp = match self.speaks {
            Speaks::Learning => Stamp::of(event, message_id.as_deref()),
            Speaks::Memberships | Speaks::Leaders => Stamp::of_body(event, message_id.as_deref(), &payload)?,
        };
        let own = match self.speaks {
            Speaks::Learning => None,
            Speaks::Memberships => self.membership(&stamp, &payload, in_earnest).await?,
            Speaks::Leaders => self.leader(&stamp, &payload, in_earnest).await?,
        };
        match own {
            Some(handled) => Ok(handled),
            None => self.of_systeme(&stamp, &payload, in_earnest).await,
        }
    }

    /// An event in one of Systeme.io's own shapes.
    async fn of_systeme(&self, stamp: &Stamp<'_>, payload: &Value, in_earnest: bool) -> Result<Handled, Failure> {
        let Some(told) = Told::read(&stamp.event.kind, payload)? else {
            return Ok(Handled::ignored(format!(
                "no use for the event type {}: it is about no contact",
                stamp.event.kind
            )));
        };
        let more = match self.speaks {
            Speaks::Learning => {
                let reasons = learning::reasons(&told);
                let given = match reasons.is_empty() {
                    true => Vec::new(),
                    false => self.rooms.store.ibam_granted(&told.contact.email, &reasons).await.map_err(ours)?,
                };
                learning::changes(stamp, &told, &*self.catalogue().await?, &given)
            }
            Speaks::Memberships => membership::of_systeme(stamp, &told, &*self.catalogue().await?),
            Speaks::Leaders => match church_leader::of_systeme(stamp, &told)? {
                Some(changes) => changes,
                None => return Ok(Handled::ignored("the event gives and takes no role: its tag is no leader:ROLE")),
            },
        };
        let user = self.user(stamp, &told.contact, !told.happened.is_ending(), in_earnest).await?;
        Ok(done(user, more))
    }

    /// A membership service's event; `None` for one in Systeme.io's shape.
    async fn membership(
        &self,
        stamp: &Stamp<'_>,
        payload: &Value,
        in_earnest: bool,
    ) -> Result<Option<Handled>, Failure> {
        let own = ["membership.", "subscription.", "payment.", "access_level."];
        if !own.iter().any(|prefix| stamp.event.kind.to_lowercase().starts_with(prefix)) {
            return Ok(None);
        }
        let data = Fields::root(payload)?.object("data")?;
        let contact = Contact::read(&data.object("contact")?)?;
        let Some(more) = membership::told(stamp, &contact, &data, &*self.catalogue().await?)? else {
            return Ok(Some(Handled::ignored(format!("no use for the event type {}", stamp.event.kind))));
        };
        let user = self.user(stamp, &contact, true, in_earnest).await?;
        Ok(Some(done(user, more)))
    }

    /// A leader's or an organisation's event; `None` for one in Systeme.io's shape.
    async fn leader(&self, stamp: &Stamp<'_>, payload: &Value, in_earnest: bool) -> Result<Option<Handled>, Failure> {
        use church_leader::{Kind, Step};
        let Some(kind) = Kind::of(&stamp.event.kind) else { return Ok(None) };
        let data = Fields::root(payload)?.object("data")?;
        let above = match church_leader::parent(&data)? {
            Some(parent) => self.rooms.store.organisation_line(&parent).await.map_err(ours)?,
            None => Vec::new(),
        };
        match kind {
            Kind::Organisation { removed } => {
                let changes = church_leader::organisation(stamp, &data, removed, &above)?;
                if changes.is_empty() {
                    return Err(data.missing("organisation"));
                }
                Ok(Some(Handled::changes(changes)))
            }
            Kind::Leader(step) => {
                let contact = match data.optional_object("contact")? {
                    Some(contact) => contact,
                    None => data.optional_object("leader")?.ok_or_else(|| data.missing("contact"))?,
                };
                let contact = Contact::read(&contact)?;
                let mut more = church_leader::told(stamp, &contact, &data, step)?;
                more.extend(church_leader::organisation(stamp, &data, false, &above)?);
                let user = self.user(stamp, &contact, step != Step::Withdrawn, in_earnest).await?;
                Ok(Some(done(user, more)))
            }
        }
    }

    /// Creates or completes the user. `welcome`: the event is a reason to let somebody in who has no token.
    async fn user(
        &self,
        stamp: &Stamp<'_>,
        contact: &Contact,
        welcome: bool,
        in_earnest: bool,
    ) -> Result<User, Failure> {
        let known = self.rooms.store.ibam_user(&contact.email).await.map_err(ours)?;
        let account = self.account(contact, &known, in_earnest).await?;
        let now = self.rooms.store.clock().now();
        let token = match welcome && user::needs_token(&known, now) {
            true => Some(self.token(stamp, contact, &known, now)?),
            false => None,
        };
        let changes = user::complete(stamp, contact, &known, account, token.as_ref());
        let what = if known.has_profile { "completed" } else { "created" };
        Ok(User { changes, reply: json!({ "success": true, "email": contact.email, "user": what }) })
    }

    /// A token: the one that the mail will bring, or one that nobody has, in the place of which an operator issues
    /// another.
    fn token(
        &self,
        stamp: &Stamp<'_>,
        contact: &Contact,
        known: &KnownUser,
        now: Timestamp,
    ) -> Result<NewToken, Failure> {
        let mailed = self.rooms.magic_link.as_ref().zip(self.rooms.vault.as_deref()).and_then(|(page, vault)| {
            let mail = Welcome::to(contact, known, stamp.event.id, page)?;
            let token = MagicToken::of_mail(vault, mail.id()).next()?;
            Some(NewToken { token, now, mail: Some(mail) })
        });
        match mailed {
            Some(token) => Ok(token),
            None => Ok(NewToken { token: MagicToken::generate().map_err(no_random)?, now, mail: None }),
        }
    }

    async fn account(&self, contact: &Contact, known: &KnownUser, in_earnest: bool) -> Result<Account, Failure> {
        let Some(supabase) = &self.rooms.supabase else { return Ok(Account::Local) };
        if known.provider.as_deref() == Some("supabase") {
            return Ok(Account::Kept);
        }
        if !in_earnest {
            return Ok(Account::Supabase(None));
        }
        let now = self.rooms.store.clock().now();
        let user = supabase.ensure_user(&contact.email, contact.name().as_deref(), now).await.map_err(of_supabase)?;
        Ok(Account::Supabase(user.id))
    }

    async fn catalogue(&self) -> Result<Arc<Catalogue>, Failure> {
        self.rooms.catalogue.get().await.map_err(ours)
    }
}

impl Handler for SystemeIo {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.changes(event, true))
    }

    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.changes(event, false))
    }
}

fn done(user: User, more: Vec<Change>) -> Handled {
    let mut changes = user.changes;
    changes.extend(more);
    Handled { changes, ignored: None, reply: Some(user.reply) }
}

fn ours(error: StoreError) -> Failure {
    Failure::Ours(Cause::from("store", "the database cannot be asked", error))
}

fn no_random(error: lychgate_common::magic::NoRandom) -> Failure {
    Failure::Ours(Cause::from("no_random", "no magic token can be made", error))
}

fn of_supabase(error: SupabaseError) -> Failure {
    let (class, temporary, retry_after) = (error.class(), error.is_temporary(), error.retry_after());
    let cause = Cause::from(class, "Supabase has not created the auth user", error);
    if temporary { Failure::Temporary { cause, retry_after } } else { Failure::Permanent(cause) }
}
