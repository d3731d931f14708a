//! Documents B and C: whichever way a history arrives, and whatever of it arrives twice, the real tables end up the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    change::Table,
    clock::Clock,
    event::{Event, EventId},
    settings::{EmbeddingsSettings, TranscriptionSettings},
    source::sample::{self, Draft},
    store::Store,
};
use lychgate_tests::{Database, sender::faithflow, stage::QueueKind};
use lychgate_worker::{
    handler::Handler,
    handlers::atomic_guide::{ANALYTICS, Internal, LearningPlatform, Service, TABLES, Transcriptions},
};
use serde_json::json;

use crate::{
    campus::{CHURCH, Campus},
    rows::migrated,
};

/// Every documented type of document C at three times, the last two of them the same: a clock's tie is broken by what is
/// told, never by arrival.
fn history() -> Vec<Event> {
    let noon: Timestamp = "2024-01-01T12:00:00Z".parse().unwrap();
    let mut events = Vec::new();
    for preset in ["lti", "canvas", "moodle", "internal", "service"] {
        for kind in lychgate_common::source::preset::named(preset).map(|it| (it.profile)().naming.kind.known).unwrap() {
            if kind.starts_with("transcription") {
                // Those ask a server, which has tests of its own.
                continue;
            }
            for (minute, id) in [(0, "first"), (9, "second"), (9, "third")] {
                let at = noon + SignedDuration::from_mins(minute);
                let draft = Draft { kind, id, tenant: None, subject: None, at };
                let body = sample::body(preset, &draft);
                events.push(Event {
                    id: EventId::new(at),
                    source: preset.into(),
                    preset: preset.into(),
                    tenant: "acc".into(),
                    kind: (*kind).into(),
                    subject: None,
                    occurred_at: Some(at),
                    received_at: at,
                    body,
                });
            }
        }
    }
    events
}

fn tables() -> impl Iterator<Item = &'static Table> {
    let fetched = |table: &&Table| !table.name.starts_with("transcript");
    TABLES.into_iter().chain([ANALYTICS]).filter(fetched)
}

async fn rows(database: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in tables() {
        let rows = format!("select to_jsonb(t)::text from {} t order by 1", table.name);
        all.insert(table.name, database.column(&rows).await);
    }
    all
}

async fn write(store: &Store, handlers: &[(&str, Box<dyn Handler>)], event: &Event) {
    let handler = &handlers.iter().find(|(preset, _)| **preset == *event.preset).unwrap().1;
    let handled = handler.handle(event).await.unwrap_or_else(|failure| panic!("{}: {failure:?}", event.kind));
    store.apply(&handled.changes).await.unwrap();
}

#[tokio::test]
async fn a_history_of_document_c_ends_in_the_same_rows() {
    let (store, database) = migrated().await;
    let fetch =
        Transcriptions::open(&TranscriptionSettings::default(), &EmbeddingsSettings::default(), &Clock::system());
    let handlers: Vec<(&str, Box<dyn Handler>)> = vec![
        ("lti", Box::new(LearningPlatform)),
        ("canvas", Box::new(LearningPlatform)),
        ("moodle", Box::new(LearningPlatform)),
        ("internal", Box::new(Internal)),
        ("service", Box::new(Service::new(fetch.unwrap()))),
    ];
    let events = history();
    let n = events.len();
    let empty = format!("truncate {}", tables().map(|table| table.name).collect::<Vec<_>>().join(", "));
    // Forwards, backwards, and strides that visit all of them; each time some of them twice.
    let visits_all =
        |stride: &usize| (1..=n).filter(|d| n.is_multiple_of(*d) && stride.is_multiple_of(*d)).count() == 1;
    let mut expected = None;
    for stride in [1, n - 1, 7, 11, 13, 17].into_iter().filter(visits_all) {
        database.connect().await.batch_execute(&empty).await.unwrap();
        for at in (0..n + 9).map(|i| (i * stride + stride) % n) {
            write(&store, &handlers, &events[at]).await;
        }
        let found = rows(&database).await;
        let missing: Vec<_> = found.iter().filter(|(_, rows)| rows.is_empty()).map(|(name, _)| name).collect();
        assert!(missing.is_empty(), "nothing writes {missing:?}");
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "stride {stride}");
    }
}

#[tokio::test]
async fn a_history_of_document_b_ends_with_what_the_core_system_says() {
    let campus = Campus::set(QueueKind::Store).await;
    let stays = [("member.created", 1), ("member.updated", 2), ("member.deleted", 3), ("member.created", 4)];
    let leaves = [("member.updated", 5), ("member.deleted", 6), ("member.updated", 7)];
    let orders: [[usize; 4]; 5] = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2], [2, 3, 1, 0]];
    // Who stays was deleted long ago, and came back; who leaves is deleted after he was created, by a clock that runs ahead.
    let past: Timestamp = "2025-11-20T01:40:00Z".parse().unwrap();
    let now = Clock::system().now() + SignedDuration::from_mins(10);
    let (mut expected, mut n) = (None, 0);
    for (nth, order) in orders.iter().enumerate() {
        let (stayer, leaver) = (format!("stays-{nth}"), format!("leaves-{nth}"));
        campus.core.put(&stayer, "HANA", CHURCH);
        campus.core.put(&leaver, "BUDI", CHURCH);
        let mut tell = async |first: Timestamp, member: &str, kind: &str, second: i64| {
            n += 1;
            let body = json!({"event_type": kind, "church_id": CHURCH, "member_id": member, "n": n,
                "timestamp": (first + SignedDuration::from_secs(second)).to_string()});
            let reply = campus.stage.send(&faithflow(&campus.secret, body.to_string().into_bytes())).await;
            // Document B's answer where the core system has no such member any more.
            assert!(reply.is_success() || reply.detail() == "Member not found", "{reply:?}");
            let settled = format!(
                "select 1::text from event_state where id = '{}' and finished_at is not null",
                reply.event_id()
            );
            lychgate_tests::eventually("it is settled", async || {
                match campus.stage.database.column(&settled).await.is_empty() {
                    true => Err(format!("{kind} of {member} waits")),
                    false => Ok(()),
                }
            })
            .await;
        };
        tell(now, &leaver, "member.created", 0).await;
        campus.core.remove(&leaver);
        for at in order {
            let (kind, second) = stays[*at];
            tell(past, &stayer, kind, second).await;
            if let Some((kind, second)) = leaves.get(*at) {
                tell(now, &leaver, kind, *second).await;
            }
        }
        // Twice is once.
        tell(past, &stayer, "member.deleted", 3).await;
        let rows = format!(
            "select concat_ws('|', name, phone, gender, birth_date, engagement_status, is_archived, archived_reason)
             from members where member_id in ('{stayer}', '{leaver}') order by 1"
        );
        let found = campus.stage.database.column(&rows).await;
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{order:?}");
    }
    let ends = expected.unwrap();
    assert!(ends[0].starts_with("BUDI") && ends[0].ends_with("|t|Deleted in core system"), "{ends:?}");
    assert!(ends[1].starts_with("HANA") && ends[1].ends_with("|active|f"), "who came back is not archived: {ends:?}");
}
