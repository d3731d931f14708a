//! The log of deliveries that made no event, the security events among them, and the use of each secret.
//!
//! Written in batches beside the sender's path: a log that cannot be written is counted, and never costs an answer.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    group::{Weigh, Write},
};
use crate::event::EventId;

/// Bytes of a body that are kept of a delivery that made no event.
pub const LOGGED_BODY: usize = 64 * 1024;

/// What was answered to a delivery that made no event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoggedAs {
    /// Refused, for a reason.
    Refused,
    /// Answered by the gateway itself: a test, a ping, a handshake.
    Answered,
    /// Repeats an event that we have.
    Duplicate,
    /// Uses an event's key for another body.
    Conflict,
}

impl LoggedAs {
    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Answered => "answered",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
        }
    }
}

/// One such delivery.
#[derive(Clone, Debug)]
pub struct LoggedDelivery {
    /// An id of its own.
    pub id: EventId,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The source's name.
    pub source: String,
    /// What the source is made from.
    pub preset: String,
    /// Whose, where that was known.
    pub tenant: String,
    /// The event type, where that was known.
    pub kind: Option<String>,
    /// What was made of it.
    pub outcome: LoggedAs,
    /// The refusal's name, or a word on the rest.
    pub reason: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The client's address.
    pub address: IpAddr,
    /// The idempotency key.
    pub key: Option<String>,
    /// The event it repeats.
    pub event_id: Option<EventId>,
    /// Whether its signature or token was good.
    pub authentic: bool,
    /// The first [`LOGGED_BODY`] bytes.
    pub body: Option<Vec<u8>>,
    /// Headers without credentials, as the text of a JSON object.
    pub headers: String,
    /// It looks like an attack: becomes a security event too.
    pub suspicious: bool,
}

impl Weigh for LoggedDelivery {
    fn weight(&self) -> usize {
        256 + self.body.as_ref().map_or(0, Vec::len)
    }
}

/// The write of a log group.
#[derive(Clone, Debug)]
pub struct DeliveryLogger(Store);

impl DeliveryLogger {
    /// Logs into `store`.
    pub fn new(store: Store) -> Self {
        Self(store)
    }
}

impl Write<LoggedDelivery, ()> for DeliveryLogger {
    async fn write(&self, items: &[LoggedDelivery]) -> Result<Vec<()>, StoreError> {
        let client = self.0.client().await?;
        let statement = client
            .prepare_cached(
                "/* log_delivery */
                insert into delivery_log (id, received_at, source, preset, tenant, kind, outcome, reason, status,
                    address, key, event_id, authentic, body, headers)
                select id, received_at, source, preset, tenant, kind, outcome, reason, status, address, key, event_id,
                    authentic, body, headers::jsonb
                from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::text[], $8::text[], $9::smallint[], $10::inet[], $11::text[], $12::uuid[], $13::bool[],
                    $14::bytea[], $15::text[])
                as i (id, received_at, source, preset, tenant, kind, outcome, reason, status, address, key, event_id,
                    authentic, body, headers)",
            )
            .await?;
        let key = |item: &LoggedDelivery| item.key.as_ref().map(|key| key.chars().take(255).collect::<String>());
        client
            .execute(
                &statement,
                &[
                    &items.iter().map(|item| item.id.uuid()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.received_at).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.source.as_str()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.preset.as_str()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.tenant.as_str()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.kind.as_deref()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.outcome.name()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.reason).collect::<Vec<_>>(),
                    &items.iter().map(|item| i16::try_from(item.status).unwrap_or(0)).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.address).collect::<Vec<_>>(),
                    &items.iter().map(key).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.event_id.map(EventId::uuid)).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.authentic).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.body.as_deref()).collect::<Vec<_>>(),
                    &items.iter().map(|item| item.headers.as_str()).collect::<Vec<_>>(),
                ],
            )
            .await?;
        let suspicious: Vec<&LoggedDelivery> = items.iter().filter(|item| item.suspicious).collect();
        if !suspicious.is_empty() {
            client
                .execute(
                    "/* log_security */
                    insert into security_event (id, at, source, reason, address)
                    select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::inet[])
                    on conflict do nothing",
                    &[
                        &suspicious.iter().map(|item| item.id.uuid()).collect::<Vec<_>>(),
                        &suspicious.iter().map(|item| item.received_at).collect::<Vec<_>>(),
                        &suspicious.iter().map(|item| item.source.as_str()).collect::<Vec<_>>(),
                        &suspicious.iter().map(|item| item.reason).collect::<Vec<_>>(),
                        &suspicious.iter().map(|item| item.address).collect::<Vec<_>>(),
                    ],
                )
                .await?;
        }
        Ok(items.iter().map(|_| ()).collect())
    }
}

/// How often a secret verified a request since it was last noted, and when it last did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SecretUse {
    /// The source's name.
    pub source: String,
    /// Whose secret.
    pub tenant: String,
    /// [`crate::secret::Secret::label`].
    pub label: String,
    /// The last time.
    pub at: Timestamp,
    /// How often.
    pub uses: i64,
}

impl Store {
    /// Adds up the uses of secrets.
    pub async fn note_secret_uses(&self, uses: &[SecretUse]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let mut sorted: Vec<&SecretUse> = uses.iter().collect();
        sorted.sort_by(|a, b| (&a.source, &a.tenant, &a.label).cmp(&(&b.source, &b.tenant, &b.label)));
        client
            .execute(
                "/* note_secret_uses */
                insert into secret_use (source, tenant, label, last_used_at, uses)
                select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
                on conflict (source, tenant, label) do update set uses = secret_use.uses + excluded.uses,
                    last_used_at = greatest(secret_use.last_used_at, excluded.last_used_at)",
                &[
                    &sorted.iter().map(|one| one.source.as_str()).collect::<Vec<_>>(),
                    &sorted.iter().map(|one| one.tenant.as_str()).collect::<Vec<_>>(),
                    &sorted.iter().map(|one| one.label.as_str()).collect::<Vec<_>>(),
                    &sorted.iter().map(|one| one.at).collect::<Vec<_>>(),
                    &sorted.iter().map(|one| one.uses).collect::<Vec<_>>(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Every secret that ever verified a request, by source and tenant, the latest used first.
    pub async fn secret_uses(&self) -> Result<Vec<SecretUse>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "/* secret_uses */ select source, tenant, label, last_used_at, uses from secret_use
                 order by source, tenant, last_used_at desc",
                &[],
            )
            .await?;
        let read = |row: &Row| SecretUse {
            source: row.get(0),
            tenant: row.get(1),
            label: row.get(2),
            at: row.get(3),
            uses: row.get(4),
        };
        Ok(rows.iter().map(read).collect())
    }

    /// Drops the log's rows of security events that are older than `before`.
    pub async fn forget_security_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        let client = self.client().await?;
        Ok(client.execute("/* forget_security_events */ delete from security_event where at < $1", &[&before]).await?)
    }

    /// Whether an event is known, and under which source and tenant: for a receipt's authentication.
    pub async fn event_source(&self, id: EventId) -> Result<Option<(String, String)>, StoreError> {
        let client = self.client().await?;
        let id: Uuid = id.uuid();
        let statement =
            client.prepare_cached("/* event_source */ select source, tenant from event where id = $1").await?;
        Ok(client.query_opt(&statement, &[&id]).await?.map(|row| (row.get(0), row.get(1))))
    }
}
