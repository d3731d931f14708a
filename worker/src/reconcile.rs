//! Reconciliation: once a day, at 03:00 in each campus's time zone, its members are compared with the core system's, so
//! that whatever a webhook missed is made good. Also at an operator's word.
//!
//! A run has three phases. *Fetching* stages the core system's pages and changes nothing. *Applying* creates and updates
//! what differs, after the whole answer was found plausible. *Archiving* archives whom the core system no more has, each
//! asked for by name first. Every step is one short transaction that moves the run's place, so an interrupted run goes
//! on where it stood, in whichever worker comes next. Nothing here holds a transaction over a network call.

mod apply;
mod archive;
mod due;
mod fetch;

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Time};
use lychgate_common::{
    campus::{Campus, CampusError, Directory},
    change::Version,
    event::EventId,
    settings::{FaithflowSettings, Share},
    store::{Run, RunCause, RunEnd, RunPhase, Store, StoreError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    core_api::{CoreApi, CoreError},
    handlers::faithflow::{FilterError, Stamp},
};

/// How a run is planned and held.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileSettings {
    /// When the daily run begins, by the campus's clock.
    pub at: Time,
    /// An answer with less than this share of the stored members is not believed.
    pub least: Share,
    /// How often a worker looks for runs that are due.
    pub look: Duration,
    /// How long a run is held without a step; then its worker is taken for dead. Longer than any step.
    pub lease: Duration,
    /// How long a run rests after each passing fault of the core system; after the last it has failed.
    pub pauses: [Duration; 5],
    /// Members compared in one transaction.
    pub batch: u16,
}

impl From<&FaithflowSettings> for ReconcileSettings {
    /// Looks every 30 s; a lease of 10 min, above the longest single request with its repeats; the schedule's pauses.
    fn from(settings: &FaithflowSettings) -> Self {
        Self {
            at: settings.reconcile_at,
            least: settings.reconcile_least,
            look: Duration::from_secs(30),
            lease: Duration::from_secs(600),
            pauses: [15, 60, 300, 900, 3600].map(Duration::from_secs),
            batch: 200,
        }
    }
}

/// Everything that a run needs.
#[derive(Debug)]
pub struct Reconciler {
    store: Store,
    directory: Arc<Directory>,
    core: CoreApi,
    settings: ReconcileSettings,
    worker: String,
}

/// Why a run stopped short of its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The core system, or its answer.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The campus, or our own house.
    #[error(transparent)]
    Campus(#[from] CampusError),
    /// Our own database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The campus's filters cannot be read.
    #[error("the campus's filters cannot be read: {0}")]
    Filters(#[from] FilterError),
    /// Another worker has taken the run, because this one was silent for too long.
    #[error("another worker has taken the reconciliation over")]
    Lost,
    /// Another worker is at this campus's reconciliation.
    #[error("a reconciliation of this campus is running already: see `lychgate campus list`")]
    Busy,
    /// Sync is off.
    #[error("sync is disabled for this campus: `lychgate campus enable` first")]
    Disabled,
    /// The process is stopping; the run goes on later.
    #[error("stopping; the reconciliation goes on later")]
    Stopping,
}

/// Whether there is more to do in this phase.
enum Went {
    On,
    Ended(RunEnd),
}

/// Runs the daily reconciliations until `stop`. Many workers may do this at once; each run has one of them at a time.
pub async fn run(reconciler: Arc<Reconciler>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match reconciler.turn(&stop).await {
            // Another run may be due.
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the daily reconciliation could not be looked after"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(reconciler.settings.look) => {}
        }
    }
}

impl Reconciler {
    /// A reconciler that works in the name of `worker`.
    pub fn new(
        store: Store,
        directory: Arc<Directory>,
        core: CoreApi,
        settings: ReconcileSettings,
        worker: &str,
    ) -> Self {
        Self { store, directory, core, settings, worker: worker.to_owned() }
    }

    /// Does one run that is due or was interrupted. `false` where there is none.
    ///
    /// # Errors
    /// Our own house's; the core system's faults end or postpone the run, and are no error here.
    pub async fn turn(&self, stop: &CancellationToken) -> Result<bool, ReconcileError> {
        let due = due::runs(&self.store.campus_clocks().await?, self.settings.at, self.store.clock().now());
        let Some(run) = self.store.claim_run(&due, &self.holder(), self.settings.lease).await? else {
            return Ok(false);
        };
        let (id, started) = (run.id, run.started_at);
        match self.pursue(run, stop).await {
            Ok(run) => tracing::info!(
                run = %id, campus = %run.campus_id, phase = run.phase.name(), %started, fetched = run.fetched,
                counts = ?run.counts, error = run.error, "reconciliation ended"
            ),
            Err(ReconcileError::Lost | ReconcileError::Stopping) => {}
            Err(ReconcileError::Core(error)) => tracing::warn!(run = %id, %error, "reconciliation has to wait"),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Reconciles one campus now, and says what became of it. `forced` believes an implausible answer.
    ///
    /// # Errors
    /// [`ReconcileError`]; where the core system could not be asked, the run has failed.
    pub async fn demand(&self, church_id: &str, forced: bool, stop: &CancellationToken) -> Result<Run, ReconcileError> {
        let campus = self.directory.find(church_id).await?;
        let campus = campus.ok_or_else(|| CampusError::Unknown(church_id.to_owned()))?;
        let day = due::day_at(&campus.time_zone, self.store.clock().now());
        let run = self.store.demand_run(&campus.church_id, day, forced, &self.holder(), self.settings.lease).await?;
        let run = run.ok_or(ReconcileError::Busy)?;
        self.pursue(run, stop).await
    }

    /// Works on a run that we hold until it ends, and returns it as it ended.
    async fn pursue(&self, run: Run, stop: &CancellationToken) -> Result<Run, ReconcileError> {
        match self.steps(&run, stop).await {
            Ok(end) => match self.store.end_run(&run, &end).await? {
                true => self.reload(&run).await,
                false => Err(ReconcileError::Lost),
            },
            Err(ReconcileError::Core(error)) => {
                self.suspend(&run, &error).await?;
                Err(error.into())
            }
            Err(ReconcileError::Store(error)) if error.is_data() => {
                // It would be refused again, and again.
                self.store.end_run(&run, &RunEnd::Failed(error.detail())).await?;
                Err(error.into())
            }
            Err(why @ (ReconcileError::Disabled | ReconcileError::Filters(_))) => {
                self.store.end_run(&run, &RunEnd::Failed(why.to_string())).await?;
                Err(why)
            }
            Err(error @ (ReconcileError::Stopping | ReconcileError::Campus(_) | ReconcileError::Store(_))) => {
                // Best effort: where our database is away, the lease runs out by itself.
                let pause = if matches!(error, ReconcileError::Stopping) { Duration::ZERO } else { self.settings.look };
                let _ = self.store.postpone_run(&run, pause, None).await;
                Err(error)
            }
            Err(error @ (ReconcileError::Lost | ReconcileError::Busy)) => Err(error),
        }
    }

    /// Step after step, each from the run's stored place.
    async fn steps(&self, held: &Run, stop: &CancellationToken) -> Result<RunEnd, ReconcileError> {
        let campus = self.campus(held).await?;
        loop {
            if stop.is_cancelled() {
                return Err(ReconcileError::Stopping);
            }
            let run = self.reload(held).await?;
            if run.holder != held.holder {
                return Err(ReconcileError::Lost);
            }
            let went = match run.phase {
                RunPhase::Fetching => self.fetch(&run, &campus).await?,
                RunPhase::Applying => self.apply(&run, &campus).await?,
                RunPhase::Archiving => self.archive(&run, &campus).await?,
                RunPhase::Done | RunPhase::LeftAlone | RunPhase::Failed => return Err(ReconcileError::Lost),
            };
            if let Went::Ended(end) = went {
                return Ok(end);
            }
        }
    }

    async fn campus(&self, run: &Run) -> Result<Arc<Campus>, ReconcileError> {
        let name = run.campus_id.to_string();
        let campus = self.directory.find(&name).await?.ok_or(CampusError::Unknown(name))?;
        if campus.enabled { Ok(campus) } else { Err(ReconcileError::Disabled) }
    }

    async fn reload(&self, run: &Run) -> Result<Run, ReconcileError> {
        self.store.run(run.id).await?.ok_or(ReconcileError::Lost)
    }

    /// After a fault of the core system: a passing one costs a daily run a pause; any other ends it, and one that an
    /// operator waits for.
    async fn suspend(&self, run: &Run, error: &CoreError) -> Result<(), StoreError> {
        let pause = usize::try_from(run.failures).ok().and_then(|failed| self.settings.pauses.get(failed));
        match pause {
            Some(pause) if error.is_temporary() && run.cause == RunCause::Daily => {
                let pause = error.retry_after().unwrap_or_default().max(*pause);
                self.store.postpone_run(run, pause, Some(&told(error))).await
            }
            Some(_) | None => self.store.end_run(run, &RunEnd::Failed(told(error))).await.map(drop),
        }
    }

    /// A name that no other run of this or another worker has.
    fn holder(&self) -> String {
        format!("{} {}", self.worker, EventId::new(self.store.clock().now()))
    }
}

/// The changes of a run are as old as the question that they answer.
fn stamp(run: &Run, at: Timestamp) -> Stamp {
    Stamp { at, version: Version::at(at, EventId::from_uuid(run.id)) }
}

/// An error with its causes, in one line for the run's record.
fn told(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        line.push_str(": ");
        line.push_str(&error.to_string());
        beneath = error.source();
    }
    line
}
