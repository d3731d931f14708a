//! Reconciliation against a real PostgreSQL and a small core system: what differs is made good, once, and an
//! implausible answer changes nothing.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, civil::Time};
use lychgate_common::{
    clock::Clock,
    settings::{FaithflowSettings, Share},
    store::Store,
};
use lychgate_tests::{Database, core_api::CoreApi as Core, receiver::Answer};
use lychgate_worker::{
    breaker::{BreakerSettings, Breakers},
    core_api::CoreApi,
    operate::campus::{self, ReconcileReport},
    reconcile::{ReconcileError, ReconcileSettings, Reconciler},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::campuses::{directory, store, to_add, vault};

struct Stage {
    database: Database,
    clock: Clock,
    store: Store,
    core: Core,
}

impl Stage {
    async fn new() -> Self {
        let database = Database::fresh().await;
        // Jakarta's noon.
        let clock = Clock::standing_at("2025-11-20T05:00:00Z".parse().unwrap());
        let store = store(&database, &clock);
        let core = Core::start("core-token").await;
        campus::add(&store, &vault(), to_add(&core.url()), "ops").await.unwrap();
        clock.advance(SignedDuration::from_secs(1));
        Self { database, clock, store, core }
    }

    fn reconciler(&self) -> Reconciler {
        let faithflow =
            FaithflowSettings { allow_private_core: true, reconcile_page: 2, ..FaithflowSettings::default() };
        let breakers = Breakers::new(BreakerSettings::from(&faithflow));
        let settings = ReconcileSettings {
            at: Time::constant(3, 0, 0, 0),
            least: Share::HALF,
            look: Duration::from_millis(10),
            lease: Duration::from_secs(60),
            pauses: [Duration::from_secs(1); 5],
            batch: 2,
        };
        let core = CoreApi::open(&faithflow, breakers).unwrap();
        Reconciler::new(self.store.clone(), directory(&self.store), core, settings, "w1")
    }

    async fn demand(&self, forced: bool) -> Result<ReconcileReport, ReconcileError> {
        self.clock.advance(SignedDuration::from_secs(1));
        campus::reconcile(&self.reconciler(), "church-1", forced, &CancellationToken::new()).await
    }

    async fn turn(&self) -> bool {
        self.reconciler().turn(&CancellationToken::new()).await.unwrap()
    }

    fn put(&self, ids: impl IntoIterator<Item = u32>) {
        ids.into_iter().for_each(|id| self.core.put(&format!("m{id}"), &format!("NAME {id}"), "church-1"));
    }

    async fn active(&self) -> i64 {
        self.database.count("select count(*) from members where not is_archived").await
    }
}

#[tokio::test]
async fn a_member_that_no_database_can_hold_keeps_neither_the_others_out_nor_other_campuses() {
    let stage = Stage::new().await;
    stage.put(1..=5);
    stage.core.set("m1", "note", json!("a\0b"));
    stage.core.set("m3", "id", json!(null));
    stage.core.set("m4", "id", json!("x".repeat(10_000)));
    let report = stage.demand(false).await.unwrap();
    assert_eq!((report.outcome, report.counts.created, report.counts.malformed), ("done", 2, 3));
    assert_eq!(stage.active().await, 2);
}

#[tokio::test]
async fn a_run_that_rests_is_an_operators_at_once() {
    let stage = Stage::new().await;
    stage.put(1..=3);
    stage.clock.advance(SignedDuration::from_hours(16));
    stage.core.fail_with(Answer::status(503));
    assert!(stage.turn().await, "the daily run has begun, and rests");
    stage.core.heal();
    let report = campus::reconcile(&stage.reconciler(), "church-1", false, &CancellationToken::new()).await.unwrap();
    assert_eq!((report.outcome, report.counts.created), ("done", 3));
}

#[tokio::test]
async fn what_differs_is_created_updated_archived_and_restored_and_local_columns_stay() {
    let stage = Stage::new().await;
    stage.put(1..=5);
    let report = stage.demand(false).await.unwrap();
    assert_eq!((report.outcome, report.fetched, report.counts.created), ("done", 5, 5));
    assert_eq!(stage.active().await, 5);
    let client = stage.database.connect().await;
    client
        .batch_execute(
            "update members set notes = 'ours', engagement_status = 'at_risk';
             insert into care_events (campus_id, member_id, event_type, event_date)
             select campus_id, member_id, 'visit', '2025-01-01' from members",
        )
        .await
        .unwrap();

    stage.core.remove("m5");
    stage.core.put("m1", "NEW NAME", "church-1");
    stage.put([6]);
    let counts = stage.demand(false).await.unwrap().counts;
    assert_eq!((counts.created, counts.updated, counts.archived, counts.unchanged), (1, 1, 1, 3));
    assert_eq!(stage.database.count("select count(*) from members where name = 'NEW NAME'").await, 1);
    let archived = "select count(*) from members where member_id = 'm5' and is_archived
                    and archived_reason = 'Deleted in core system'";
    assert_eq!(stage.database.count(archived).await, 1);

    stage.put([5]);
    let counts = stage.demand(false).await.unwrap().counts;
    assert_eq!((counts.restored, counts.unchanged), (1, 5));
    let local = "select count(*) from members where notes = 'ours' and engagement_status = 'at_risk'";
    assert_eq!(stage.database.count(local).await, 5);
    assert_eq!(stage.database.count("select count(*) from care_events").await, 5);
    assert_eq!(stage.database.count("select count(*) from reconciliation_member").await, 0);
    assert_eq!(stage.database.count("select count(*) from sync_logs where status = 'done'").await, 3);
    assert_eq!(stage.database.count("select count(*) from members_with_age where age >= 45").await, 6);
}

#[tokio::test]
async fn an_implausible_answer_changes_nothing_unless_it_is_forced() {
    let stage = Stage::new().await;
    stage.put(1..=5);
    stage.demand(false).await.unwrap();
    (1..=4).for_each(|id| stage.core.remove(&format!("m{id}")));
    stage.core.put("m5", "NEW NAME", "church-1");
    let report = stage.demand(false).await.unwrap();
    assert_eq!(report.outcome, "left_alone");
    assert!(report.why.unwrap().contains("1 members only, where 5 are stored"));
    assert_eq!(stage.active().await, 5);
    assert_eq!(stage.database.count("select count(*) from members where name = 'NEW NAME'").await, 0);
    stage.core.remove("m5");
    assert_eq!(stage.demand(false).await.unwrap().outcome, "left_alone");
    assert_eq!(stage.demand(true).await.unwrap().counts.archived, 5);
    assert_eq!(stage.active().await, 0);
}

#[tokio::test]
async fn the_daily_run_happens_once_across_workers_at_the_campuss_three_o_clock() {
    let stage = Stage::new().await;
    stage.put(1..=3);
    assert!(!stage.turn().await, "it was added after today's 03:00");
    // Jakarta's 03:00 of the 21st.
    stage.clock.advance(SignedDuration::from_hours(15));
    let workers = [stage.reconciler(), stage.reconciler(), stage.reconciler()].map(Arc::new);
    let turns =
        workers.map(|worker| tokio::spawn(async move { worker.turn(&CancellationToken::new()).await.unwrap() }));
    let mut worked = 0;
    for turn in turns {
        worked += i32::from(turn.await.unwrap());
    }
    assert_eq!(worked, 1);
    assert!(!stage.turn().await);
    let run = "select count(*) from reconciliation_run where cause = 'daily' and day = '2025-11-21' and phase = 'done'";
    assert_eq!(stage.database.count(run).await, 1);
    assert_eq!(stage.active().await, 3);
    stage.clock.advance(SignedDuration::from_hours(24));
    assert!(stage.turn().await, "and again the next day");
}

#[tokio::test]
async fn an_interrupted_run_goes_on_where_it_stood_once_its_lease_has_run_out() {
    let stage = Stage::new().await;
    stage.put(1..=7);
    stage.clock.advance(SignedDuration::from_hours(15));
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(stage.reconciler().turn(&stop).await.unwrap(), "claimed, and laid aside at once");
    let client = stage.database.connect().await;
    // As a worker leaves it that dies after the first page: held, with a lease.
    client
        .batch_execute(
            "update reconciliation_run set next_page = 2, holder = 'dead', lease_until = lease_until + interval '60 s';
             insert into reconciliation_member
             select id, m, jsonb_build_object('id', m, 'name', 'STAGED'), true, started_at
             from reconciliation_run, unnest(array['m1', 'm2']) m",
        )
        .await
        .unwrap();
    assert!(!stage.turn().await, "its lease still holds");
    assert!(matches!(stage.demand(false).await, Err(ReconcileError::Busy)));
    stage.clock.advance(SignedDuration::from_secs(61));
    assert!(stage.turn().await);
    assert_eq!(stage.database.count("select count(*) from members where name = 'STAGED'").await, 2);
    assert_eq!(stage.active().await, 7);
    let asked_for_page_one = stage.core.seen().iter().filter(|request| request.path.contains("page=1&")).count();
    assert_eq!(asked_for_page_one, 0);
}

#[tokio::test]
async fn a_core_system_in_trouble_costs_a_pause_and_a_member_that_cannot_be_read_only_itself() {
    let stage = Stage::new().await;
    stage.put(1..=3);
    stage.clock.advance(SignedDuration::from_hours(15));
    stage.core.fail_with(Answer::status(503));
    assert!(stage.turn().await);
    assert!(!stage.turn().await, "it rests");
    let waits =
        "select count(*) from reconciliation_run where failures = 1 and error like '%503%' and finished_at is null";
    assert_eq!(stage.database.count(waits).await, 1);
    stage.core.heal();
    stage.core.put("m2", "", "church-1");
    stage.clock.advance(SignedDuration::from_secs(2));
    assert!(stage.turn().await);
    let ended = "select count(*) from reconciliation_run where phase = 'done' and created = 2 and malformed = 1";
    assert_eq!(stage.database.count(ended).await, 1);
}
