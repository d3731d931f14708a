//! The store: the only door to PostgreSQL, one file per move.
//!
//! All SQL of the house stands below this room, each statement opening with its name as a comment (so that the
//! server's log and `pg_stat_statements` speak our language). Every change of a status is conditional on the old one
//! and says whether it hit. Nothing here holds a transaction open over a network call.

mod answer;
mod apply;
mod audit;
mod campus;
mod catalogue;
mod claim;
mod connect;
mod dead_letter;
mod delivery_log;
mod emit;
mod error;
mod events;
mod filter;
mod fingerprint;
mod forward;
mod group;
mod heartbeat;
mod ibam;
mod listen;
mod mail;
mod partition;
mod record;
mod replay;
mod schema;
mod security;
mod settle;
mod sleekapp;
mod sweep;
mod webhook;

pub use self::{
    answer::KeptAnswer,
    audit::{AuditEntry, Deed},
    campus::{
        CampusClock, CampusListing, KnownMember, NewCampus, NewRun, Run, RunCause, RunCounts, RunEnd, RunPhase,
        SecretListing, StagedMember, Step,
    },
    catalogue::Imported,
    claim::Claim,
    connect::{StoreSettings, UNREADABLE_DATABASE_URL, is_database_url},
    dead_letter::{DeadLetter, DeadLetterGroup, DeadLetterShown},
    delivery_log::{DeliveryLogger, LOGGED_BODY, LoggedAs, LoggedDelivery, SecretUse},
    emit::Emitter,
    error::StoreError,
    events::{AttemptLine, EventLine, EventShown},
    filter::{EventFilter, Page},
    fingerprint::fingerprint,
    forward::Forwarding,
    group::{Group, GroupLimits, Weigh, Write},
    heartbeat::Heartbeat,
    ibam::{Course, Granted, KnownUser, SignedIn, TagCourse, Tier},
    mail::{
        KnownToken, MAIL_CHANNEL, Mail, MailBacklog, MailFilter, MailLine, MailShown, MailTemplate, NewTemplate,
        PendingMail,
    },
    partition::{BUCKET_DAYS, DAYS_AHEAD, Retention},
    record::{Bundle, Keys, NewEvent, Recorded, Recorder},
    replay::Standing,
    schema::Applied,
    security::{SecurityCount, SecurityEvent},
    settle::{AttemptError, Settled, Settlement, Settler, Verdict, WorkerName},
    sleekapp::{Assigned, KnownSale, PaymentName, Supplier},
    sweep::Backlog,
    webhook::{DeliveryAttempt, DeliveryLine, Endpoint, Resent},
};
use std::sync::Arc;

use crate::clock::Clock;

/// A pool of connections and a clock. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: deadpool_postgres::Pool,
    /// For connections beside the pool.
    config: Arc<tokio_postgres::Config>,
    clock: Clock,
}

impl Store {
    /// The clock by which the store's rows are stamped.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Lets go of every connection, because the server may be stopped next.
    pub fn close(&self) {
        self.pool.close();
    }

    /// A connection, within the pool's deadline.
    pub(crate) async fn client(&self) -> Result<deadpool_postgres::Object, StoreError> {
        Ok(self.pool.get().await?)
    }
}
