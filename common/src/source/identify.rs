//! Naming an event: its idempotency key, type, tenant, subject and time.
//!
//! Runs only on requests that are authentic. Never invents a key: where nothing identifies an event, it has none.

mod key;
mod shape;

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

pub use key::{KEY_LIMIT, KeyAt};
pub use shape::{Check, Shape, is_email};

use super::{
    place::{Place, first},
    reading::Reading,
    refused::Refused,
    request::{Identity, Request},
    split::Split,
    time::{FUTURE_LIMIT, TimeForm},
    verify::Verifier,
};

/// Longest event type, tenant or subject, in bytes.
pub const NAME_LIMIT: usize = 255;

/// Where everything that names an event is found.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The body must be JSON; refused early where it is not.
    pub json: bool,
    /// Where several events of one request stand; `None` where a request is one event.
    pub split: Option<Split>,
    /// The key: the first of these that yields one.
    pub key: Vec<KeyAt>,
    /// Refuse the same body of the same type under another, unsigned key as well.
    pub body_guard: bool,
    /// For how long; `None`: as long as keys are kept, for senders whose bodies of two events are never equal.
    pub body_guard_window: Option<Duration>,
    /// The type.
    pub kind: KindRule,
    /// The tenant: the first of these that holds something.
    pub tenant: Vec<Place>,
    /// What to call the tenant when it is missing; `None` where it may be.
    pub tenant_required: Option<Place>,
    /// The subject: the first of these that holds something.
    pub subject: Vec<Place>,
    /// The tenants it takes events of; empty for all.
    pub tenants: Vec<Arc<str>>,
    /// When it happened.
    pub occurred_at: Option<(Place, TimeForm)>,
    /// Where else that may stand, for sources that speak several dialects.
    pub occurred_at_or: Vec<(Place, TimeForm)>,
    /// Fields that some types cannot do without: types that start with this need what stands there.
    pub required: Vec<(&'static str, Place)>,
    /// Fields that some types cannot do without, and what each must be.
    pub checks: Vec<Check>,
    /// Bodies of other forms: where something stands there, this naming counts instead. For what its tenants may be,
    /// the outer one does, too.
    pub forms: Vec<(Place, Self)>,
}

/// How an event's type is found and judged.
#[derive(Clone, Debug, Default)]
pub struct KindRule {
    /// The first of these that holds something.
    pub at: Vec<Place>,
    /// What is appended after a dot, where it is there: GitHub's `/action`.
    pub suffix: Option<Place>,
    /// Another place that must name the same type.
    pub agrees_with: Option<Place>,
    /// The types the source documents; also what metrics are labelled with.
    pub known: &'static [&'static str],
    /// Refuse types that are not known. Otherwise they are accepted and the handler ignores them, so that a sender can
    /// add types before we know them.
    pub only_known: bool,
    /// Types found at these places may be unknown all the same: their sender would disable us over refusals.
    pub lenient: Vec<Place>,
    /// The type of events that name none.
    pub fallback: Option<Arc<str>>,
}

impl Naming {
    fn places(&self) -> impl Iterator<Item = &Place> {
        let kind = self.kind.at.iter().chain(&self.kind.suffix).chain(&self.kind.agrees_with);
        let rest = self.tenant.iter().chain(&self.subject).chain(self.times().map(|(place, _)| place));
        kind.chain(rest)
            .chain(self.required.iter().map(|(_, place)| place))
            .chain(self.key.iter().flat_map(KeyAt::places))
    }

    fn times(&self) -> impl Iterator<Item = &(Place, TimeForm)> {
        self.occurred_at.iter().chain(&self.occurred_at_or)
    }

    /// The tenant alone, read before the request is authentic so that its keys can be looked up.
    pub(super) fn tenant(&self, reading: &Reading<'_>) -> Result<Option<Arc<str>>, Refused> {
        match (first(&self.tenant, reading)?, &self.tenant_required) {
            (Some((place, text)), _) => clean(place, &text).map(Some),
            (None, Some(name)) => Err(name.missing()),
            (None, None) => Ok(None),
        }
    }

    /// All events of a request, or none.
    pub(super) fn identify(&self, request: &Request<'_>, verifier: &Verifier) -> Result<Vec<Identity>, Refused> {
        let Some(form) = self.form(request)? else { return self.events(request, verifier) };
        let events = form.identify(request, verifier)?;
        let foreign = |event: &Identity| !self.tenants.is_empty() && !self.tenants.contains(&event.tenant);
        if events.iter().any(foreign) { Err(Refused::TenantForeign) } else { Ok(events) }
    }

    /// The other form that this body has, if it has one.
    fn form(&self, request: &Request<'_>) -> Result<Option<&Self>, Refused> {
        if self.forms.is_empty() {
            return Ok(None);
        }
        let reading = Reading::picking(request, request.body, self.forms.iter().map(|(at, _)| at), self.json)?;
        Ok(self.forms.iter().find(|(at, _)| holds(at, &reading)).map(|(_, form)| form))
    }

    fn events(&self, request: &Request<'_>, verifier: &Verifier) -> Result<Vec<Identity>, Refused> {
        let Some(split) = &self.split else {
            return Ok(vec![self.one(request, request.body, None, verifier)?]);
        };
        let Some(elements) = split.events(request.body)? else {
            return Ok(vec![self.one(request, request.body, None, verifier)?]);
        };
        let several = elements.len() > 1;
        let one = |(at, body)| {
            let identity = self.one(request, body, several.then_some(at), verifier);
            identity.map_err(|refused: Refused| refused.within(&split.place(at)))
        };
        elements.iter().enumerate().map(one).collect()
    }

    fn one(
        &self,
        request: &Request<'_>,
        body: &Bytes,
        nth: Option<usize>,
        verifier: &Verifier,
    ) -> Result<Identity, Refused> {
        let reading = if self.json || self.places().any(Place::in_body) {
            Reading::picking(request, body, self.places(), self.json)?
        } else {
            Reading::of(request)
        };
        let kind = self.kind.read(&reading)?;
        let missing = |(prefix, place): &&(&str, Place)| kind.starts_with(prefix) && !holds(place, &reading);
        if let Some((_, place)) = self.required.iter().find(missing) {
            return Err(place.missing());
        }
        // A second look at the body, which most sources do without: only the type tells what to look for.
        shape::hold(&self.checks, &kind, body)?;
        let tenant = self.tenant(&reading)?.unwrap_or_default();
        if !self.tenants.is_empty() && !self.tenants.contains(&tenant) {
            return Err(Refused::TenantForeign);
        }
        let (key, key_signed) = key::read(&self.key, &reading, nth, verifier)?;
        let subject = first(&self.subject, &reading)?.map(|(place, text)| clean(place, &text)).transpose()?;
        Ok(Identity {
            body_guard: self.body_guard && key.is_some() && !key_signed,
            body_guard_window: self.body_guard_window,
            key,
            key_signed,
            tenant,
            subject,
            occurred_at: self.occurred_at(&reading)?,
            kind,
            body: body.clone(),
        })
    }

    /// A time in the body that cannot be read is refused; one in a header, which no signature covers, is left out.
    fn occurred_at(&self, reading: &Reading<'_>) -> Result<Option<Timestamp>, Refused> {
        for (place, form) in self.times() {
            if let Some(text) = place.find(reading)? {
                return time(place, *form, &text, reading);
            }
        }
        Ok(None)
    }
}

fn time(place: &Place, form: TimeForm, text: &str, reading: &Reading<'_>) -> Result<Option<Timestamp>, Refused> {
    let why = match form.read(text) {
        Some(at) if at.duration_since(reading.request().received_at) <= FUTURE_LIMIT => return Ok(Some(at)),
        Some(_) => "it lies more than a day in the future",
        None => form.words(),
    };
    if place.in_body() { Err(place.wrong(why)) } else { Ok(None) }
}

impl KindRule {
    fn read(&self, reading: &Reading<'_>) -> Result<Arc<str>, Refused> {
        let mut lenient = false;
        let kind = match (first(&self.at, reading)?, &self.fallback) {
            (Some((place, text)), _) => {
                lenient = self.lenient.contains(place);
                clean(place, &text)?
            }
            (None, Some(fallback)) => fallback.clone(),
            (None, None) => return Err(self.at.first().map_or(Refused::KindUnknown, Place::missing)),
        };
        if let Some(other) = &self.agrees_with
            && let Some(text) = other.find(reading)?
            && *text != *kind
        {
            return Err(Refused::KindMismatch { place: other.to_string() });
        }
        let kind = match self.suffix.as_ref().map(|place| Ok((place, place.find(reading)?))).transpose()? {
            Some((place, Some(suffix))) => clean(place, &format!("{kind}.{suffix}"))?,
            Some((_, None)) | None => kind,
        };
        if self.only_known && !lenient && !self.known.contains(&&*kind) {
            return Err(Refused::KindUnknown);
        }
        Ok(kind)
    }
}

/// Whether something stands there. What is there and of no use is for its reader to complain about.
fn holds(place: &Place, reading: &Reading<'_>) -> bool {
    !matches!(place.find(reading), Ok(None))
}

/// A name that the ledger, the metrics and a terminal can bear.
fn clean(place: &Place, text: &str) -> Result<Arc<str>, Refused> {
    let wrong = |why: &'static str| Err(place.wrong(Cow::Borrowed(why)));
    match text {
        text if text.len() > NAME_LIMIT => wrong("it is longer than 255 bytes"),
        text if text.chars().any(char::is_control) => wrong("it holds control characters"),
        text => Ok(text.into()),
    }
}
