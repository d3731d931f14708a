//! The seam for whoever adds a sync handler: one file, one line in the registry.
//!
//! A handler may read (the core API, a table), and returns what is to be done as data. It never writes: the applier
//! does, in the transaction that also finishes the event.

use std::{error::Error, fmt, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lychgate_common::{
    change::Change,
    event::{Attempt, Event},
    store::{AttemptError, Verdict},
};
use serde_json::Value;

/// Turns one event into changes.
pub trait Handler: Send + Sync + fmt::Debug {
    /// Looks at an event and says what is to be done. Called again for the same event after a temporary failure or a
    /// replay, so it must not have effects of its own.
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>>;

    /// Says what [`Handler::handle`] would return, without any effect. Only a handler whose work is an effect outside
    /// (a delivery, an account at another system) needs one of its own.
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        self.handle(event)
    }

    /// What a handler's own tables are to say about an attempt, whatever became of it: written with the attempt's
    /// record, in the transaction that settles it. Most have nothing to say.
    fn note(&self, noted: &Noted<'_>) -> Vec<Change> {
        let _ = noted;
        Vec::new()
    }
}

/// An attempt that is about to be settled.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'a> {
    /// The event.
    pub event: &'a Event,
    /// Which attempt.
    pub attempt: Attempt,
    /// What becomes of the event.
    pub verdict: &'a Verdict,
    /// Why the attempt failed, if it did.
    pub error: Option<&'a AttemptError>,
}

/// What a handler made of an event.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Handled {
    /// Changes to write, all or none. May be empty.
    pub changes: Vec<Change>,
    /// Understood, and deliberately nothing done: the event becomes *ignored* instead of *succeeded*; says why.
    pub ignored: Option<String>,
    /// What a sender that waits for the outcome is answered with.
    pub reply: Option<Value>,
}

impl Handled {
    /// Changes to write.
    pub fn changes(changes: Vec<Change>) -> Self {
        Self { changes, ..Self::default() }
    }

    /// Nothing to do, for this reason.
    pub fn ignored(why: impl Into<String>) -> Self {
        Self { ignored: Some(why.into()), ..Self::default() }
    }
}

/// Why an event could not be handled. The class decides what happens next; no class means success.
#[derive(Debug)]
pub enum Failure {
    /// Trying again cannot help: to the dead letters at once.
    Permanent(Cause),
    /// A passing fault of another system: up the schedule, and not before `retry_after`.
    Temporary {
        /// What happened.
        cause: Cause,
        /// What the other side asked for.
        retry_after: Option<Duration>,
    },
    /// A fault of our own house (our database, our broker): costs no attempt.
    Ours(Cause),
    /// Nobody's fault: it is not its turn yet. Comes again then, and has cost no attempt.
    Deferred {
        /// What it waits for.
        cause: Cause,
        /// When its turn is.
        until: Timestamp,
    },
}

/// A failure's class and its chain of causes, for the dead letter's `error`.
#[derive(Debug)]
pub struct Cause {
    /// A stable snake_case name from a closed set of the handler's, e.g. `member_not_found`: dead letters are grouped
    /// by it.
    pub class: &'static str,
    /// One sentence for the operator.
    pub message: String,
    /// What lay beneath, if anything.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Cause {
    /// A cause with nothing beneath it.
    pub fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None }
    }

    /// A cause that rests on another error.
    pub fn from(class: &'static str, message: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { class, message: message.into(), source: Some(Box::new(source)) }
    }

    /// The chain, outermost first, one line each: document C's `stack`.
    pub fn stack(&self) -> Vec<String> {
        let mut lines = vec![self.message.clone()];
        let mut beneath: Option<&dyn Error> = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(error) = beneath {
            lines.push(error.to_string());
            beneath = error.source();
        }
        lines
    }
}

impl Failure {
    /// A permanent failure.
    pub fn permanent(class: &'static str, message: impl Into<String>) -> Self {
        Self::Permanent(Cause::new(class, message))
    }

    /// A temporary failure that names no time.
    pub fn temporary(class: &'static str, message: impl Into<String>) -> Self {
        Self::Temporary { cause: Cause::new(class, message), retry_after: None }
    }

    /// What happened.
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Permanent(cause)
            | Self::Temporary { cause, .. }
            | Self::Ours(cause)
            | Self::Deferred { cause, .. } => cause,
        }
    }
}
