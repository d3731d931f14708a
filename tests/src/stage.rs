//! A stage: a database, perhaps a broker, and the product's gateway and worker on them, as in production.

use std::{net::SocketAddr, process::Command, time::Duration};

use crate::{Broker, Database, Directory, Process, Program, Settings, fact::eventually, http::Request};

/// Which queue stands behind the seam.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueKind {
    /// PostgreSQL itself.
    Store,
    /// RabbitMQ.
    Broker,
}

/// Retries, sweeps and leases that a test need not wait for. Promises do not depend on them, only patience does.
pub const QUICK: &str = r#"
[retry]
schedule = ["100ms", "200ms", "300ms", "400ms", "500ms"]
[sweep]
grace = "2s"
interval = "500ms"
[worker]
lease = "5s"
handler_deadline = "4s"
[gateway]
refused_rate = "off"
"#;

/// Settings for a database and perhaps a broker, and what every test needs to be repeatable.
pub fn settings(database: &str, broker: Option<&str>) -> Settings {
    let settings = Settings::new().with(&format!("[database]\nurl = {database:?}")).with(
        "[secrets]\nencryption_key = \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n\
         [faithflow]\nallow_private_core = true\ncore_retries = 0\ncore_timeout = \"2s\"\nbreaker_failures = 1000",
    );
    match broker {
        Some(url) => settings.with(&format!("[broker]\nurl = {url:?}\nheartbeat = \"5s\"")),
        None => settings,
    }
}

/// The part of a stage that is running.
#[derive(Debug)]
pub struct Stage {
    /// The test's database.
    pub database: Database,
    /// The test's virtual host, where it has one of the shared node.
    pub broker: Option<Broker>,
    /// The settings file's content.
    pub settings: Settings,
    /// `lychgate-gateway`.
    pub gateway: Process,
    /// `lychgate-worker`.
    pub worker: Process,
    /// The gateway's public listener.
    pub address: SocketAddr,
}

impl Stage {
    /// Sets the stage with the sources that every test has, and [`QUICK`].
    pub async fn set(kind: QueueKind) -> Self {
        Self::set_with(kind, QUICK).await
    }

    /// Sets the stage with these settings (lines of TOML) instead of [`QUICK`].
    pub async fn set_with(kind: QueueKind, more: &str) -> Self {
        let broker = match kind {
            QueueKind::Broker => Some(Broker::fresh().await),
            QueueKind::Store => None,
        };
        let url = broker.as_ref().map(Broker::url);
        let stage = Self::on(Database::fresh().await, url.as_deref(), more).await;
        Self { broker, ..stage }
    }

    /// Sets the stage on servers of the test's own.
    pub async fn on(database: Database, broker: Option<&str>, more: &str) -> Self {
        let settings = settings(database.url(), broker).with(more).with_sources();
        Self::with_settings(database, settings).await
    }

    /// Sets the stage with these settings and no others.
    pub async fn with_settings(database: Database, settings: Settings) -> Self {
        let mut gateway = gateway(&settings);
        let mut worker = worker(&settings);
        gateway.ready().await;
        worker.ready().await;
        let address = gateway.address("listen").await;
        Self { database, broker: None, settings, gateway, worker, address }
    }

    /// Sends a request to the gateway.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: &Request) -> crate::http::Reply {
        request.send(self.address).await.unwrap_or_else(|error| panic!("no answer: {error}\n{}", self.gateway.output()))
    }

    /// Waits until an event has this status.
    pub async fn becomes(&self, id: uuid::Uuid, status: &str) {
        event_becomes(&self.database, id, status).await;
    }

    /// `lychgate ARGUMENTS` with this stage's settings, run to its end.
    pub fn lychgate(&self, arguments: &[&str]) -> Ran {
        let directory = Directory::new("cli");
        let file = directory.path().join("lychgate.toml");
        self.settings.write(&file);
        let mut command = Program::Lychgate.command();
        command.envs(self.settings.variables());
        ran(command.args(arguments).arg("--config").arg(&file).current_dir(directory.path()))
    }
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: done.status.code().unwrap_or(-1), out: text(&done.stdout), err: text(&done.stderr) }
}

/// Starts a gateway with these settings.
pub fn gateway(settings: &Settings) -> Process {
    start("gateway", Program::Gateway, settings)
}

/// Starts a worker with these settings.
pub fn worker(settings: &Settings) -> Process {
    start("worker", Program::Worker, settings)
}

/// Starts a program with these settings in a directory of its own, every listener on a free port.
pub fn start(name: &str, program: Program, settings: &Settings) -> Process {
    let directory = Directory::new(name);
    let file = directory.path().join("lychgate.toml");
    settings.write(&file);
    let mut command = program.command();
    command.arg("--config").arg(&file).current_dir(directory.path()).envs(settings.variables());
    for listener in ["GATEWAY", "OPS", "CONSOLE"] {
        command.env(format!("LYCHGATE_{listener}__LISTEN"), "127.0.0.1:0");
    }
    Process::spawn(name, command).keeping(directory)
}

/// Waits until an event has this status.
pub async fn event_becomes(database: &Database, id: uuid::Uuid, status: &str) {
    eventually(&format!("event {id} becomes {status}"), async || {
        let client = crate::database::connect(database.url()).await.map_err(|error| error.to_string())?;
        let row = client.query_opt("select status::text from event_state where id = $1", &[&id]).await;
        match row.map_err(|error| error.to_string())?.map(|row| row.get::<_, String>(0)) {
            Some(found) if found == status => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
}

/// A pause that a fault needs to bite (a heartbeat to be missed, a lease to run out). Not for waiting on the product:
/// that is [`eventually`].
pub async fn let_it_bite(time: Duration) {
    tokio::time::sleep(time).await;
}
