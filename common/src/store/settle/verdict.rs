//! What becomes of an event after an attempt, and why it failed where it did. Pure data.

use jiff::Timestamp;

use crate::status::Status;

/// What becomes of an event after an attempt.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// Done; the changes are written.
    Succeeded,
    /// Nothing to do; says why.
    Ignored(String),
    /// Once more, at this time, one level further up.
    Retry {
        /// Levels climbed, this one included.
        climbed: u8,
        /// When the next attempt is due.
        at: Timestamp,
        /// When the sweeper may take the event: the queue has had its chance by then.
        sweep_at: Timestamp,
    },
    /// To the dead letters, under this fingerprint.
    Dead {
        /// Groups dead letters of one cause.
        fingerprint: String,
    },
}

impl Verdict {
    /// The status it leads to.
    pub fn status(&self) -> Status {
        match self {
            Self::Succeeded => Status::Succeeded,
            Self::Ignored(_) => Status::Ignored,
            Self::Retry { .. } => Status::Retrying,
            Self::Dead { .. } => Status::Dead,
        }
    }
}

/// Why an attempt failed, as it is stored and shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptError {
    /// `temporary`, `permanent` or `poison`.
    pub outcome: &'static str,
    /// The failure's class.
    pub class: String,
    /// One sentence.
    pub message: String,
    /// The chain of causes, outermost first.
    pub stack: Vec<String>,
}
