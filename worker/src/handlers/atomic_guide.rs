//! Atomic Guide (document C), and the internal events of document E: what learning platforms, services and our own
//! systems tell.
//!
//! One file per dialect or subject; what an event type does is one line there. Events arrive in any order: state is merged
//! by the time that the event claims, and a tie is broken by what it says, never by arrival. Only transcriptions call
//! anybody; everything else reads nothing but the event.

mod behaviour;
mod canvas;
mod discussion;
mod internal;
mod lti;
mod moodle;
mod production;
mod service;
mod transcription;
mod video;

#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::{Change, Row, Table, Version},
    event::Event,
    row,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::{service::Service, transcription::Transcriptions};
use super::{
    fields::{self, Fields},
    social_share,
};
use crate::handler::{Failure, Handled, Handler};

/// Every table that these handlers change.
pub static TABLES: [&Table; 20] = [
    &lti::GRADE,
    &lti::MEMBERSHIP,
    &lti::CONTENT,
    &canvas::ASSIGNMENT,
    &canvas::SUBMISSION,
    &canvas::STUDENT_PROGRESS,
    &canvas::COURSE_PROGRESS,
    &discussion::DISCUSSION,
    &moodle::GRADE,
    &moodle::MODULE,
    &moodle::COMPLETION,
    &video::VIDEO,
    &video::USER,
    &transcription::TRANSCRIPT,
    &transcription::PASSAGE,
    &internal::DEEP_LINK,
    &production::ORDER,
    &production::STAGE,
    &production::STAGE_HISTORY,
    &production::QUALITY,
];

/// The table of measurements, which document E shares.
pub static ANALYTICS: &Table = &social_share::ANALYTICS;

/// Beyond every event: times are mirrored at it where the earliest is to win. 2100-01-01.
const FAR: i64 = 4_102_444_800;

/// The handler of the presets `lti`, `canvas` and `moodle`: whichever dialect the event speaks.
#[derive(Clone, Copy, Debug, Default)]
pub struct LearningPlatform;

impl Handler for LearningPlatform {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(std::future::ready(of_platform(event)))
    }
}

/// The handler of the preset `internal`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Internal;

impl Handler for Internal {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(std::future::ready(of_house(event)))
    }
}

fn of_platform(event: &Event) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    let root = Fields::root(&payload)?;
    if root.has("@context") {
        return Ok(Handled::ignored("an event in Caliper's form: set the stream to Canvas's own format"));
    }
    let changes = if root.has("eventname") {
        moodle::changes(&Told::new(event, root))?
    } else if root.has("event_name") || root.has("metadata") {
        canvas::changes(&Told::new(event, root.object("body")?))?
    } else {
        lti::changes(&Told::new(event, root.object("data")?))?
    };
    Ok(handled(event, changes))
}

fn of_house(event: &Event) -> Result<Handled, Failure> {
    let payload = fields::parse(&event.body)?;
    let told = Told::new(event, Fields::root(&payload)?.object("data")?);
    Ok(handled(event, internal::changes(&told)?))
}

fn handled(event: &Event, changes: Option<Vec<Change>>) -> Handled {
    changes.map_or_else(|| Handled::ignored(format!("no use for the event type {}", event.kind)), Handled::changes)
}

/// An event as this folder's files see it.
struct Told<'a> {
    event: &'a Event,
    data: Fields<'a>,
    at: Timestamp,
}

impl<'a> Told<'a> {
    fn new(event: &'a Event, data: Fields<'a>) -> Self {
        Self { event, data, at: event.effective_at() }
    }

    fn source(&self) -> &str {
        &self.event.source
    }

    /// How new this is. Of two events with one time the one that is further along in a thing's life wins, then whichever
    /// the bytes say: senders' clocks are coarse, and arrival must not decide.
    fn version(&self) -> Version {
        let kind = self.event.kind.as_ref();
        let ends = |words: &[&str]| words.iter().any(|word| kind.ends_with(word));
        let rank = match () {
            () if ends(&["deleted", "removed"]) => 2,
            () if ends(&["created", "added"]) => 0,
            () => 1,
        };
        Version::told(self.at, &format!("{rank}{}", self.digest()))
    }

    /// The earliest wins.
    fn first(&self) -> Version {
        let mirrored = Timestamp::from_second(FAR).ok().and_then(|far| {
            let until = far.duration_since(self.at).max(SignedDuration::ZERO);
            Timestamp::UNIX_EPOCH.checked_add(until).ok()
        });
        Version::told(mirrored.unwrap_or(Timestamp::UNIX_EPOCH), &self.digest())
    }

    fn digest(&self) -> String {
        Sha256::digest(&self.event.body).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A merge under this source's name.
    fn merge(&self, table: &'static Table, mut row: Row) -> Change {
        row.extend(row! { "source" => self.source() });
        Change::merge(table, row, self.version())
    }

    /// Copies fields as they are named: each only where the event has it, `null` included.
    fn copied(&self, texts: &[Column], times: &[Column], numbers: &[Column]) -> Result<Row, Failure> {
        let mut row = Row::new();
        for (column, field) in texts.iter().filter(|(_, field)| self.data.has(field)) {
            row.insert((*column).to_owned(), self.data.optional_text(field)?.into());
        }
        for (column, field) in times.iter().filter(|(_, field)| self.data.has(field)) {
            row.insert((*column).to_owned(), serde_json::json!(time(&self.data, field)?));
        }
        for (column, field) in numbers.iter().filter(|(_, field)| self.data.has(field)) {
            row.insert((*column).to_owned(), serde_json::json!(self.data.optional_number(field)?));
        }
        Ok(row)
    }
}

/// A column and the field that it is copied from.
type Column = (&'static str, &'static str);

/// A time as these senders write it: RFC 3339, the same without an offset (UTC), or seconds since 1970.
fn time(fields: &Fields<'_>, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = fields.optional_text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = lychgate_common::source::TimeForm::Any.read(&text);
    let wrong = || Failure::permanent("wrong_type", format!("{} must be a time (ISO 8601)", fields.pointer_to(name)));
    read.map(Some).ok_or_else(wrong)
}

/// A failure of a field that is there and cannot be.
fn out_of_range(fields: &Fields<'_>, name: &str, must: &str) -> Failure {
    Failure::permanent("wrong_value", format!("{} must be {must}", fields.pointer_to(name)))
}

/// A field kept whole, where it is one.
fn whole(fields: &Fields<'_>, name: &str) -> Value {
    fields.value(name).cloned().unwrap_or(Value::Null)
}
