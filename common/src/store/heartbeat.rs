//! Workers' heartbeats: who is alive, and which build each of them runs.

use jiff::Timestamp;
use serde::Serialize;

use super::{Store, StoreError, WorkerName};

/// A worker as it last showed itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Heartbeat {
    /// Host and process.
    pub worker: String,
    /// Version and revision.
    pub build: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
}

impl Store {
    /// Shows that a worker is alive, and forgets those that have not been for a day.
    pub async fn beat(&self, name: &WorkerName, started_at: Timestamp) -> Result<(), StoreError> {
        let client = self.client().await?;
        let now = self.clock.now();
        client
            .execute(
                "/* beat */
                with gone as (delete from worker_heartbeat where seen_at < $4::timestamptz - interval '1 day')
                insert into worker_heartbeat (worker, build, started_at, seen_at) values ($1, $2, $3, $4)
                on conflict (worker) do update set seen_at = excluded.seen_at",
                &[&name.worker, &name.build, &started_at, &now],
            )
            .await?;
        Ok(())
    }

    /// Takes a worker off the list: it has stopped as it should.
    pub async fn leave(&self, name: &WorkerName) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("/* leave */ delete from worker_heartbeat where worker = $1", &[&name.worker]).await?;
        Ok(())
    }

    /// All workers that were seen lately, the newest word first.
    pub async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "/* heartbeats */ select worker, build, started_at, seen_at from worker_heartbeat order by 4 desc",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Heartbeat { worker: row.get(0), build: row.get(1), started_at: row.get(2), seen_at: row.get(3) })
            .collect())
    }
}
