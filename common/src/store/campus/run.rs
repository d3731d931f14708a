//! A reconciliation run as it is stored: why it was started, how far it is, what it did.
//!
//! Values only; the moves are in [`super::runs`].

use jiff::{Timestamp, civil::Date};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::StoreError;

/// Why a run was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunCause {
    /// 03:00 in the campus's time zone.
    Daily,
    /// An operator.
    Demand,
}

/// How far a run is. It only moves down this list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunPhase {
    /// Asking the core system, page by page.
    Fetching,
    /// Creating and updating what differs.
    Applying,
    /// Archiving what the core system has no more.
    Archiving,
    /// Ended well.
    Done,
    /// Ended: the core system's answer was implausible, and nothing was changed.
    LeftAlone,
    /// Ended: the core system could not be asked.
    Failed,
}

impl RunPhase {
    /// The name in the database and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Applying => "applying",
            Self::Archiving => "archiving",
            Self::Done => "done",
            Self::LeftAlone => "left_alone",
            Self::Failed => "failed",
        }
    }

    fn parse(name: &str) -> Result<Self, StoreError> {
        [Self::Fetching, Self::Applying, Self::Archiving, Self::Done, Self::LeftAlone, Self::Failed]
            .into_iter()
            .find(|phase| phase.name() == name)
            .ok_or_else(|| StoreError::Row(format!("reconciliation phase `{name}`")))
    }
}

/// How a run ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunEnd {
    /// Well.
    Done,
    /// The answer was implausible: why.
    LeftAlone(String),
    /// The core system could not be asked: why.
    Failed(String),
}

/// What a run did, in members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct RunCounts {
    /// Not with us before.
    pub created: i64,
    /// Something differed.
    pub updated: i64,
    /// Not in the core system any more.
    pub archived: i64,
    /// Archived because they had been deleted there, and there again.
    pub restored: i64,
    /// Kept out by the campus's filters.
    pub filtered: i64,
    /// Nothing to do.
    pub unchanged: i64,
    /// What the core system says about them cannot be read or stored.
    pub malformed: i64,
}

impl std::ops::Add for RunCounts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            created: self.created + more.created,
            updated: self.updated + more.updated,
            archived: self.archived + more.archived,
            restored: self.restored + more.restored,
            filtered: self.filtered + more.filtered,
            unchanged: self.unchanged + more.unchanged,
            malformed: self.malformed + more.malformed,
        }
    }
}

/// A run that is due.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Whose.
    pub campus_id: Uuid,
    /// For which of the campus's days.
    pub day: Date,
}

/// A run as stored.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub campus_id: Uuid,
    /// Whether an implausible answer is believed.
    pub forced: bool,
    /// Why it was started.
    pub cause: RunCause,
    /// How far it is.
    pub phase: RunPhase,
    /// The page to ask for next.
    pub next_page: i32,
    /// The member that was done last.
    pub cursor: String,
    /// Members that the core system has told of.
    pub fetched: i64,
    /// What it did so far.
    pub counts: RunCounts,
    /// Passing faults of the core system so far.
    pub failures: i32,
    /// Why it was left alone, failed, or last had to wait.
    pub error: Option<String>,
    /// When it was started: what came to us later is newer than what it knows.
    pub started_at: Timestamp,
    /// Who works on it; proves every move.
    pub holder: String,
}

/// A campus's place in the plan of daily runs.
#[derive(Clone, Debug)]
pub struct CampusClock {
    /// Whose.
    pub campus_id: Uuid,
    /// IANA name.
    pub time_zone: String,
    /// A campus is not reconciled for hours before it was added.
    pub created_at: Timestamp,
    /// The last day that has a run.
    pub last_day: Option<Date>,
}

/// Reads a whole row of `reconciliation_run`.
pub(super) fn run_of(row: &Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: row.get("id"),
        campus_id: row.get("campus_id"),
        forced: row.get("forced"),
        cause: if row.get::<_, &str>("cause") == "daily" { RunCause::Daily } else { RunCause::Demand },
        phase: RunPhase::parse(row.get("phase"))?,
        next_page: row.get("next_page"),
        cursor: row.get("cursor"),
        fetched: row.get("fetched"),
        counts: RunCounts {
            created: row.get("created"),
            updated: row.get("updated"),
            archived: row.get("archived"),
            restored: row.get("restored"),
            filtered: row.get("filtered"),
            unchanged: row.get("unchanged"),
            malformed: row.get("malformed"),
        },
        failures: row.get("failures"),
        error: row.get("error"),
        started_at: row.get("started_at"),
        holder: row.get::<_, Option<String>>("holder").unwrap_or_default(),
    })
}
