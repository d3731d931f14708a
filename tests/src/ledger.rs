//! The client's own ledger: what was sent, what was answered, and what must therefore be true afterwards.
//!
//! Written and synced to disk before a request leaves and again after its outcome is known, so that it is right even if
//! the sender dies. The checks read the product's tables with SQL of their own and speak of lost, duplicated and
//! unexpected events, as Jepsen does.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use crate::{Database, fact::eventually_within};

/// How the sending of one event ended, as the sender sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A success: the product has promised it.
    Ack,
    /// A refusal that names the sender's fault (4xx): it must leave nothing behind.
    Rejected,
    /// Anything else: it may have been accepted or not.
    Unknown,
}

/// One line of the ledger.
#[derive(Clone, Debug)]
struct Entry {
    body_sha256: Vec<u8>,
    outcome: Outcome,
}

/// The ledger of one test.
#[derive(Debug)]
pub struct Ledger {
    source: String,
    file: Mutex<File>,
    entries: Mutex<BTreeMap<String, Entry>>,
    path: PathBuf,
}

/// The query that gives the key of every effect that [`watch_effects`] noted.
pub const EFFECTS: &str = "select key from effect_noted";

/// Has the database note every time that a user of Platform Core is written, in a table that takes duplicates: the
/// product's own tables would hide a second effect, because writing the same twice changes nothing. Send events whose
/// key is the user's id.
pub async fn watch_effects(database: &Database) {
    let watch = "create table effect_noted (key text not null, at timestamptz not null default clock_timestamp());
        create function note_effect() returns trigger language plpgsql as
            $$ begin insert into effect_noted (key) values (new.id); return new; end $$;
        create trigger note_effect before insert on platform_user for each row execute function note_effect();";
    database.connect().await.batch_execute(watch).await.unwrap();
}

/// What the checks found. All three are zero when the promise holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// Acknowledged, and no event, or an event without its effect that is no dead letter.
    pub lost: usize,
    /// More than one event or effect for one key.
    pub duplicated: usize,
    /// Never sent, refused, or stored with another body.
    pub unexpected: usize,
    /// Unanswered, and found accepted: allowed.
    pub recovered: usize,
    /// Acknowledged and dead: allowed where the fault is the event's.
    pub dead: usize,
}

impl Ledger {
    /// Opens a ledger for events of one source, in this directory.
    pub fn open(directory: &Path, source: &str) -> Self {
        let path = directory.join("ledger");
        let file = File::options().create(true).append(true).open(&path).unwrap();
        Self { source: source.to_owned(), file: Mutex::new(file), entries: Mutex::default(), path }
    }

    /// Notes that an event is about to be sent.
    pub fn sending(&self, key: &str, body: &[u8]) {
        let entry = Entry { body_sha256: Sha256::digest(body).to_vec(), outcome: Outcome::Unknown };
        self.write(&format!("SEND {key} {}", hex::encode(&entry.body_sha256)));
        // A second sending of the same key keeps the first outcome until it has its own.
        self.entries.lock().unwrap().entry(key.to_owned()).or_insert(entry);
    }

    /// Notes how it ended. Once acknowledged, always acknowledged.
    pub fn ended(&self, key: &str, outcome: Outcome) {
        self.write(&format!("{outcome:?} {key}"));
        let mut entries = self.entries.lock().unwrap();
        let entry = entries.get_mut(key).expect("sent before it ended");
        if entry.outcome != Outcome::Ack {
            entry.outcome = outcome;
        }
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.lock().unwrap().values().filter(|entry| entry.outcome == outcome).count()
    }

    /// Waits until no event is open any more (I6: liveness), then checks I1 to I7 against the table of effects.
    ///
    /// `effects` is a query that gives the key of every effect as text, one row an effect.
    ///
    /// # Panics
    /// When something is lost, duplicated or unexpected; says what.
    pub async fn check(&self, database: &Database, effects: &str) -> Findings {
        self.check_within(Duration::from_secs(120), database, effects).await
    }

    /// As [`Ledger::check`], with another bound for the events to settle.
    ///
    /// # Panics
    /// As [`Ledger::check`].
    pub async fn check_within(&self, bound: Duration, database: &Database, effects: &str) -> Findings {
        eventually_within(bound, "every event is settled", async || {
            let open = "select count(*) from event_state where finished_at is null";
            let client = crate::database::connect(database.url()).await.map_err(|error| error.to_string())?;
            let open: i64 = client.query_one(open, &[]).await.map_err(|error| error.to_string())?.get(0);
            if open == 0 { Ok(()) } else { Err(format!("{open} events are open")) }
        })
        .await;
        let client = database.connect().await;
        let findings = self.compare(&client, effects).await;
        self.attempts_are_whole(&client).await;
        let broken = findings.lost + findings.duplicated + findings.unexpected;
        assert!(
            broken == 0,
            "the ledger {} is broken: {findings:?} of {} acknowledged",
            self.path.display(),
            self.count(Outcome::Ack)
        );
        findings
    }

    async fn compare(&self, client: &Client, effects: &str) -> Findings {
        let mut events: BTreeMap<String, Vec<(Vec<u8>, String)>> = BTreeMap::new();
        let rows = "select e.key, e.body_sha256, s.status::text from event e join event_state s using (id) \
                    where e.source = $1";
        for row in client.query(rows, &[&self.source]).await.unwrap() {
            let key = row.get::<_, Option<String>>(0).unwrap_or_default();
            events.entry(key).or_default().push((row.get(1), row.get(2)));
        }
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        for row in client.query(effects, &[]).await.unwrap() {
            *done.entry(row.get(0)).or_default() += 1;
        }
        let entries = self.entries.lock().unwrap();
        let mut findings = Findings::default();
        for (key, entry) in entries.iter() {
            let stored = events.remove(key).unwrap_or_default();
            let effects = done.remove(key).unwrap_or_default();
            let processed = stored.iter().any(|(_, status)| status == "succeeded");
            let dead = stored.iter().any(|(_, status)| status == "dead");
            findings.duplicated += usize::from(stored.len() > 1 || effects > 1);
            findings.unexpected += usize::from(stored.iter().any(|(sha, _)| *sha != entry.body_sha256));
            findings.unexpected += usize::from(effects > 0 && !processed);
            match entry.outcome {
                Outcome::Ack if dead => findings.dead += 1,
                Outcome::Ack => findings.lost += usize::from(stored.is_empty() || !processed || effects == 0),
                Outcome::Unknown => {
                    findings.recovered += usize::from(!stored.is_empty());
                    findings.lost += usize::from(processed && effects == 0);
                }
                Outcome::Rejected => findings.unexpected += usize::from(!stored.is_empty() || effects > 0),
            }
        }
        findings.unexpected += events.len() + done.len();
        findings
    }

    /// I7: no attempt's number is missing or above the schedule's levels, and each was settled once (its key says so).
    async fn attempts_are_whole(&self, client: &Client) {
        let gaps = "select count(*) from (select event_id, max(attempt) as last, count(*) as all from attempt \
                    group by event_id) a where last <> a.all";
        let gaps: i64 = client.query_one(gaps, &[]).await.unwrap().get(0);
        assert_eq!(gaps, 0, "events whose attempts have gaps");
    }

    fn write(&self, line: &str) {
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{line}").unwrap();
        file.sync_data().unwrap();
    }
}
