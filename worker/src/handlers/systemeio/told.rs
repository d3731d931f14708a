//! What an event tells, brought into one form from Systeme.io's two envelopes.
//!
//! Settings webhooks carry their data at the top and their type in a header (`CONTACT_TAG_ADDED`); automation rules
//! carry `{type, data, account, created_at}` with dotted types (`contact.course.enrolled`, of which only that one is
//! documented: the others are read by their words). What happened that we have no special use for is still news of a
//! contact. Nothing is decided here.

use jiff::Timestamp;
use lychgate_common::{change::Version, event::Event};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::{Uuid, Version as Kind};

use super::{
    contact::{Contact, Tag},
    sale::{self, Bought, Sale},
};
use crate::{handler::Failure, handlers::fields::Fields};

/// As of when, and by whose word.
#[derive(Clone, Debug)]
pub(super) struct Stamp<'e> {
    pub(super) event: &'e Event,
    /// When it happened. A sender's clock that runs ahead must not outlive what comes after it.
    pub(super) at: Timestamp,
    pub(super) version: Version,
}

impl<'e> Stamp<'e> {
    /// `message_id`: what the sender numbers its events by.
    pub(super) fn of(event: &'e Event, message_id: Option<&str>) -> Self {
        Self::at(event, message_id, event.effective_at())
    }

    /// As of `created_at` of the body, which is signed; for events of the shapes that are ours.
    ///
    /// # Errors
    /// Permanent, where it is no time.
    pub(super) fn of_body(event: &'e Event, message_id: Option<&str>, payload: &Value) -> Result<Self, Failure> {
        let told = Fields::root(payload)?.optional_time("created_at")?;
        Ok(Self::at(event, message_id, told.unwrap_or_else(|| event.effective_at())))
    }

    fn at(event: &'e Event, message_id: Option<&str>, told: Timestamp) -> Self {
        let at = told.min(event.received_at);
        Self { event, at, version: Version::told(at, &tie(event, message_id)) }
    }
}

/// Decides between events of one second, which is all that the sender's times tell: Systeme.io's message ids are UUIDv7
/// and grow. Without one, what ends something comes after what begins it, and then the bytes decide: never who arrived
/// first.
fn tie(event: &Event, message_id: Option<&str>) -> String {
    let numbered = message_id.and_then(|id| Uuid::try_parse(id).ok());
    if let Some(id) = numbered.filter(|id| id.get_version() == Some(Kind::SortRand)) {
        return id.to_string();
    }
    let kind = event.kind.to_lowercase();
    let rank = u8::from(ENDS.iter().any(|end| kind.ends_with(end)));
    let digest = Sha256::new().chain_update(&*kind).chain_update(&event.body).finalize();
    digest.iter().take(8).fold(rank.to_string(), |tie, byte| format!("{tie}{byte:02x}"))
}

/// How the types end that tell of an end.
const ENDS: [&str; 9] =
    ["removed", "canceled", "cancelled", "refunded", "unenrolled", "expired", "withdrawn", "revoked", "deleted"];

/// What happened to a contact.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Happened {
    /// News of it, and no more.
    Seen,
    TagAdded(Tag),
    TagRemoved(Tag),
    Sold(Box<Sale>),
    /// Cancelled or refunded: Systeme.io says the same of both.
    SaleCancelled(Box<Sale>),
    /// Enrolled in a course or bundle at Systeme.io, and how.
    Enrolled(Vec<Bought>, Option<String>),
    Unenrolled(Vec<Bought>),
}

impl Happened {
    /// Whether it takes something away: no reason to welcome anybody.
    pub(super) fn is_ending(&self) -> bool {
        match self {
            Self::TagRemoved(_) | Self::SaleCancelled(_) | Self::Unenrolled(_) => true,
            Self::Seen | Self::TagAdded(_) | Self::Sold(_) | Self::Enrolled(..) => false,
        }
    }
}

/// A contact, and what happened to it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Told {
    pub(super) contact: Contact,
    pub(super) happened: Happened,
}

impl Told {
    /// Reads an event; `None` where it is about nobody.
    pub(super) fn read(kind: &str, payload: &Value) -> Result<Option<Self>, Failure> {
        let root = Fields::root(payload)?;
        let body = match root.value("data") {
            Some(Value::Object(_)) => root.object("data")?,
            Some(_) | None => root,
        };
        let kind = kind.to_lowercase();
        let words: Vec<&str> = kind.split(['.', '_', '-', ' ']).collect();
        let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
        let sale = has(&["sale"]) && body.has("order");
        let cancelled = has(&["canceled", "cancelled", "refunded"]);
        if has(&["sale"]) && (sale || has(&["new"]) || cancelled) {
            let sale = Box::new(Sale::read(&body)?);
            let contact = sale.customer.clone();
            let happened = if cancelled { Happened::SaleCancelled(sale) } else { Happened::Sold(sale) };
            return Ok(Some(Self { contact, happened }));
        }
        let Some(object) = body.optional_object("contact")? else { return Ok(None) };
        let contact = Contact::read(&object)?;
        let happened = if has(&["tag"]) && has(&["added", "removed"]) {
            let tag = match body.optional_object("tag")? {
                Some(tag) => tag,
                None => object.optional_object("tag")?.ok_or_else(|| body.missing("tag"))?,
            };
            let tag = Tag::read(&tag)?;
            if tag.words().is_empty() {
                let message = format!("{}/id is missing, and so is its name", body.pointer_to("tag"));
                return Err(Failure::permanent("missing_field", message));
            }
            if has(&["added"]) { Happened::TagAdded(tag) } else { Happened::TagRemoved(tag) }
        } else if has(&["course", "bundle"]) && has(&["enrolled", "unenrolled"]) {
            let of: Vec<Bought> =
                sale::given(&body)?.into_iter().filter(|bought| !matches!(bought, Bought::Tag(_))).collect();
            if of.is_empty() {
                return Err(body.missing("course"));
            }
            match has(&["enrolled"]) {
                true => Happened::Enrolled(of, body.optional_text("access_type")?),
                false => Happened::Unenrolled(of),
            }
        } else {
            Happened::Seen
        };
        Ok(Some(Self { contact, happened }))
    }
}
