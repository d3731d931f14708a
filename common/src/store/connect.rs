//! Opens the pool: deadlines on every wait, deadlines on the server's side too, TLS where the URL asks for it.
//!
//! deadpool waits for ever by default and tokio's timeouts do not cancel the server's work; both are set here, so that
//! a hanging database costs seconds and never a worker.

use std::{str::FromStr, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::{Config, NoTls, config::SslMode};

use super::{Store, StoreError};
use crate::{clock::Clock, secret::Secret};

/// How to reach PostgreSQL.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// A `postgres://` URL or a libpq keyword string.
    pub url: Secret,
    /// Connections of this process at most.
    pub connections: usize,
    /// How long a caller waits for a free connection.
    pub wait: Duration,
    /// How long a new connection may take.
    pub connect: Duration,
    /// The server's own deadline for one statement.
    pub statement: Duration,
}

impl StoreSettings {
    /// Defaults: 8 connections; 1 s for a free one, 3 s for a new one; 10 s for a statement, longer than any batch
    /// takes and shorter than a sender's patience.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            connections: 8,
            wait: Duration::from_secs(1),
            connect: Duration::from_secs(3),
            statement: Duration::from_secs(10),
        }
    }
}

impl Store {
    /// Makes the pool. No connection is opened yet: a database that is away now may be there when it is needed.
    pub fn open(settings: &StoreSettings, clock: Clock) -> Result<Self, StoreError> {
        let mut config = read(&settings.url)
            .ok_or_else(|| StoreError::Schema(format!("`database.url` {UNREADABLE_DATABASE_URL}")))?;
        config.application_name("lychgate");
        config.connect_timeout(settings.connect);
        config.keepalives_idle(Duration::from_secs(10));
        config.tcp_user_timeout(Duration::from_secs(15));
        // A database or role that is set to `synchronous_commit = off` would have us promise what is not on the disk.
        // Plans are made once a connection: every statement of the event's path finds its rows by key, and planning a
        // record of twenty events anew each time cost two fifths of it (and now and then, on a table that had not been
        // analysed yet, a plan ten times as slow). What the URL itself asks for comes last, and wins.
        let ours = format!(
            "-c synchronous_commit=on -c plan_cache_mode=force_generic_plan -c statement_timeout={0} \
             -c lock_timeout={0} -c idle_in_transaction_session_timeout=10000",
            settings.statement.as_millis()
        );
        let options = match config.get_options() {
            Some(given) => format!("{ours} {given}"),
            None => ours,
        };
        config.options(options);
        let kept = Arc::new(config.clone());
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycle),
            _ => Manager::from_config(config, tls()?, recycle),
        };
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .wait_timeout(Some(settings.wait))
            .create_timeout(Some(settings.connect))
            .recycle_timeout(Some(Duration::from_secs(1)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Away(error.into()))?;
        Ok(Self { pool, config: kept, clock })
    }
}

/// What is wrong with a database's URL that cannot be read. Nothing of it is repeated: it holds a password.
pub const UNREADABLE_DATABASE_URL: &str = "cannot be read: it must look like postgres://user:password@host:5432/name";

/// Whether a database could be reached by this URL, or by these words of libpq's.
pub fn is_database_url(url: &Secret) -> bool {
    read(url).is_some()
}

fn read(url: &Secret) -> Option<Config> {
    Config::from_str(url.expose_str()?).ok().filter(|config| !config.get_hosts().is_empty())
}

/// TLS by the system's certificates, used where the server offers it (`sslmode=prefer`) or must (`require`).
pub(super) fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Away(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}
