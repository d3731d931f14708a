//! Partitions: made ahead, dropped by retention.
//!
//! A new one is made beside its parent and then attached, which does not block the writers; making it in place would.
//! Never drops a day that still holds an open or dead event: what nobody has dealt with does not age out. The log of
//! deliveries knows only its time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{Store, StoreError, record::EDGE};
use crate::event::EventId;

/// Days for which partitions exist ahead of time: a gateway that nobody restarts over a long week-end goes on.
pub const DAYS_AHEAD: u16 = 4;

/// Days in one bucket of idempotency keys. Longer ones are probed less often, shorter ones keep the index that is
/// being written smaller; a week means two probes for the default window of 14 days.
pub const BUCKET_DAYS: i64 = 7;

/// What is kept as long as the day's events, one partition a day, by the event's id.
const EVENTS: [&str; 5] = ["event", "event_state", "attempt", "forward_delivery", "webhook_delivery"];

/// What is logged of deliveries that made no event, likewise.
const LOG: &str = "delivery_log";

/// How long a drop may wait for readers: senders wait with it, and hardly notice.
const DROP_PATIENCE: Duration = Duration::from_millis(200);

/// How long things are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Events, their states, attempts and deliveries.
    pub events: SignedDuration,
    /// The log of deliveries that made no event.
    pub deliveries: SignedDuration,
    /// Idempotency keys: the window in which a repeated key is recognised (at least).
    pub keys: SignedDuration,
}

/// The bucket that a key written at `at` belongs to: the first day of its week, counted from 1970-01-01.
pub(crate) fn bucket(at: Timestamp) -> Date {
    let day = at.as_second().div_euclid(86_400);
    let first = day - day.rem_euclid(BUCKET_DAYS);
    date_of(Timestamp::from_second(first * 86_400).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn date_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn midnight(at: Timestamp, days: i64) -> Timestamp {
    let day = at.as_second().div_euclid(86_400) + days;
    Timestamp::from_second(day * 86_400).unwrap_or(Timestamp::MAX)
}

impl Store {
    /// Makes the partitions from yesterday to `days_ahead` days ahead, and this and the next bucket of keys.
    pub async fn make_partitions(&self, days_ahead: u16) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut client = self.client().await?;
        for day in -1..=i64::from(days_ahead) {
            let (from, to) = (midnight(now, day), midnight(now, day + 1));
            let (low, high) = (EventId::floor(from), EventId::floor(to));
            for table in EVENTS.into_iter().chain([LOG]) {
                let name = format!("{table}_{}", date_of(from).strftime("%Y%m%d"));
                attach(&mut client, table, &name, &low.to_string(), &high.to_string()).await?;
            }
        }
        // Around a bucket's edge keys are written into the one that has just ended, too.
        for at in [now - EDGE, now, now + SignedDuration::from_hours(24 * BUCKET_DAYS)] {
            let from = bucket(at);
            let to = from.saturating_add(jiff::Span::new().days(BUCKET_DAYS));
            let name = format!("dedup_key_{}", from.strftime("%Y%m%d"));
            attach(&mut client, "dedup_key", &name, &from.to_string(), &to.to_string()).await?;
        }
        Ok(())
    }

    /// Drops the partitions that are past their time and says which; days with unfinished business stay.
    pub async fn drop_partitions(&self, keep: Retention) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now();
        let mut client = self.client().await?;
        let mut dropped = Vec::new();
        let oldest_day = date_of(now - keep.events).strftime("%Y%m%d").to_string();
        let oldest_log = date_of(now - keep.deliveries).strftime("%Y%m%d").to_string();
        let oldest_bucket = bucket(now - keep.keys).strftime("%Y%m%d").to_string();
        for name in partitions(&client, "event_state").await? {
            let day = name.rsplit('_').next().unwrap_or_default().to_owned();
            if day >= oldest_day {
                continue;
            }
            let held = format!(
                "/* retention_held */ select 1 from {name} where finished_at is null or status = 'dead' limit 1"
            );
            if client.query_opt(&held, &[]).await?.is_some() {
                continue;
            }
            let tables = EVENTS.map(|table| format!("{table}_{day}"));
            if drop_together(&mut client, &tables).await? {
                dropped.extend(tables);
            }
        }
        for (table, oldest) in [(LOG, oldest_log), ("dedup_key", oldest_bucket)] {
            for name in partitions(&client, table).await? {
                let is_past = name.rsplit('_').next().unwrap_or_default() < oldest.as_str();
                if is_past && drop_together(&mut client, std::slice::from_ref(&name)).await? {
                    dropped.push(name);
                }
            }
        }
        Ok(dropped)
    }
}

/// Drops all of these, or none where a reader holds one of them: whoever waits for a reader here has every writer waiting
/// behind it. The next turn tries again.
async fn drop_together(client: &mut deadpool_postgres::Object, tables: &[String]) -> Result<bool, StoreError> {
    let tx = client.transaction().await?;
    let text = format!(
        "/* retention_drop */ set local lock_timeout = {}; drop table if exists {}",
        DROP_PATIENCE.as_millis(),
        tables.join(", ")
    );
    match tx.batch_execute(&text).await.map_err(StoreError::from) {
        Ok(()) => {
            tx.commit().await?;
            Ok(true)
        }
        Err(error) if error.is_locked_out() => {
            tracing::info!(?tables, "retention leaves these until their readers have gone");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn attach(
    client: &mut deadpool_postgres::Object,
    parent: &str,
    name: &str,
    low: &str,
    high: &str,
) -> Result<(), StoreError> {
    if client.query_opt("/* partition_exists */ select 1 from pg_class where relname = $1", &[&name]).await?.is_some() {
        return Ok(());
    }
    let storage = match parent {
        // Updated rows find room on their own page; the vacuum comes before a busy day's state bloats.
        "event_state" => {
            " with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)"
        }
        _ => "",
    };
    let tx = client.transaction().await?;
    tx.batch_execute(&format!(
        "/* partition_make */ select pg_advisory_xact_lock(hashtext('lychgate.partition'));
         create table if not exists {name} (like {parent} including all){storage};"
    ))
    .await?;
    let attached = tx
        .query_opt(
            "/* partition_attached */ select 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where c.relname = $1",
            &[&name],
        )
        .await?;
    if attached.is_none() {
        tx.batch_execute(&format!(
            "/* partition_attach */ alter table {parent} attach partition {name} for values from ('{low}') to ('{high}')"
        ))
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn partitions(client: &deadpool_postgres::Object, parent: &str) -> Result<Vec<String>, StoreError> {
    let rows = client
        .query(
            "/* partitions */ select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
             join pg_class p on p.oid = i.inhparent where p.relname = $1 order by 1",
            &[&parent],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_week_and_begins_at_midnight_utc() {
        let at: Timestamp = "2026-11-21T23:59:59Z".parse().unwrap();
        let first = bucket(at);
        assert_eq!(bucket(first.to_zoned(TimeZone::UTC).unwrap().timestamp()), first);
        assert_eq!(bucket(at + SignedDuration::from_hours(24 * 7)), first.saturating_add(jiff::Span::new().days(7)));
    }
}
