//! The two ways out of the dead letters: *replay* (dead → retrying) and *discard* (dead → discarded).
//!
//! Both act only on what is still dead, say what they hit, and write their audit entry in the same statement. A replay
//! keeps the event's id, counts its attempts on, and asks no idempotency key. If nobody publishes the messages that it
//! returns, the sweeper does, once they are due.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Deed, Store, StoreError,
    claim::{MESSAGE_COLUMNS, message},
};
use crate::{
    event::{Attempt, EventId},
    message::Message,
    status::Status,
};

/// Where an event stands, in short: for whoever waits for a replay's outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The event.
    pub id: EventId,
    /// Its status.
    pub status: Status,
    /// The attempt that is due or was the last.
    pub attempt: Attempt,
}

impl Store {
    /// Opens dead events again and returns their messages, to be published now; those that are not dead any more are
    /// left out. `due_at` is when the sweeper, or a claim, may take them: `None` for at once, because nobody publishes
    /// them; whoever does must have the time for it, or they are delivered twice.
    pub async fn replay(
        &self,
        ids: &[EventId],
        deed: &Deed,
        due_at: Option<Timestamp>,
    ) -> Result<Vec<Message>, StoreError> {
        let Some(ids) = Span::of(ids) else { return Ok(Vec::new()) };
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "/* replay */
                with picked as materialized (
                    select id from event_state
                    where id = any($1) and id between $2 and $3 and status = 'dead' order by id for update
                ), s as (
                    update event_state s set status = 'retrying', attempt = s.attempt + 1, climbed = 0, starts = 0,
                        leased = false, due_at = coalesce($9, '-infinity'::timestamptz), finished_at = null
                    from picked where s.id = picked.id and s.id between $2 and $3
                    returning s.id, s.attempt, s.climbed, s.shard
                ), {LAID_TO_REST}
                select {MESSAGE_COLUMNS} from s join event e on e.id = s.id where e.id between $2 and $3 order by e.id"
            ))
            .await?;
        let audit = self.audit_ids(ids.all.len());
        let now = self.clock.now();
        let rows = client
            .query(
                &statement,
                &[&ids.all, &ids.low, &ids.high, &audit, &now, &deed.actor, &"replay", &deed.reason, &due_at],
            )
            .await?;
        rows.iter().map(message).collect()
    }

    /// Gives dead events up for good and says which; those that are not dead any more are left out.
    pub async fn discard(&self, ids: &[EventId], deed: &Deed) -> Result<Vec<EventId>, StoreError> {
        let Some(ids) = Span::of(ids) else { return Ok(Vec::new()) };
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "/* discard */
                with picked as materialized (
                    select id from event_state
                    where id = any($1) and id between $2 and $3 and status = 'dead' order by id for update
                ), s as (
                    update event_state s set status = 'discarded', finished_at = $5
                    from picked where s.id = picked.id and s.id between $2 and $3 returning s.id, s.attempt
                ), {LAID_TO_REST}
                select id from s order by id"
            ))
            .await?;
        let audit = self.audit_ids(ids.all.len());
        let now = self.clock.now();
        let rows = client
            .query(&statement, &[&ids.all, &ids.low, &ids.high, &audit, &now, &deed.actor, &"discard", &deed.reason])
            .await?;
        Ok(rows.iter().map(|row| EventId::from_uuid(row.get(0))).collect())
    }

    /// Where events stand; those that do not exist are left out.
    pub async fn standings(&self, ids: &[EventId]) -> Result<Vec<Standing>, StoreError> {
        let Some(ids) = Span::of(ids) else { return Ok(Vec::new()) };
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "/* standings */
                select id, status, attempt from event_state where id = any($1) and id between $2 and $3 order by id",
            )
            .await?;
        let rows = client.query(&statement, &[&ids.all, &ids.low, &ids.high]).await?;
        let standing = |row: &tokio_postgres::Row| {
            let attempt = Attempt::new(row.get(2)).ok_or_else(|| StoreError::Row("attempt under 1".to_owned()))?;
            Ok(Standing { id: EventId::from_uuid(row.get(0)), status: row.get(1), attempt })
        };
        rows.iter().map(standing).collect()
    }
}

/// Removes the dead letters of `s` and keeps what they said in the audit.
const LAID_TO_REST: &str = "d as (
        delete from dead_letter d using s where d.event_id = s.id returning d.*
    ), a as (
        insert into audit (id, at, actor, action, subject, reason, detail)
        select n.audit, $5, $6, $7, s.id::text, $8, jsonb_build_object('attempt', s.attempt,
            'fingerprint', d.fingerprint, 'class', d.class, 'message', d.message)
        from s left join d on d.event_id = s.id join unnest($1::uuid[], $4::uuid[]) as n (id, audit) on n.id = s.id
    )";

/// Ids without repeats, and the first and the last of them: they name the partitions to look at.
struct Span {
    all: Vec<Uuid>,
    low: Uuid,
    high: Uuid,
}

impl Span {
    fn of(ids: &[EventId]) -> Option<Self> {
        let mut all: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
        all.sort_unstable();
        all.dedup();
        let (low, high) = (*all.first()?, *all.last()?);
        Some(Self { all, low, high })
    }
}
