//! A private PostgreSQL, and databases in it: one for every test, copied from a migrated template.
//!
//! Found where the product finds it (PATH, then `/usr/lib/postgresql`); durable, because what is tried is durability.
//! Reused from `LYCHGATE_TEST_DATABASE` (an administrator's URL) where the runner started one for all tests.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use lychgate_common::{
    clock::Clock,
    secret::Secret,
    store::{Store, StoreSettings},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::{Directory, directory::unique, fact::eventually};

/// The instance that the tests of this process share, where the runner did not start one.
static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// A PostgreSQL instance of one's own: for tests that stop or kill it.
#[derive(Debug)]
pub struct Postgres {
    directory: Directory,
    port: u16,
    server: Mutex<Option<Child>>,
}

impl Postgres {
    /// Initialises and starts one on a free loopback port.
    pub async fn start() -> Self {
        let directory = Directory::new("pg");
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            run(Command::new("chown").arg("-R").arg(server_user()).arg(directory.path()));
        }
        run(as_server("initdb").arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        ]));
        let postgres = Self { directory, port: crate::http::free_port(), server: Mutex::new(None) };
        postgres.start_again().await;
        postgres
    }

    /// Starts it again after [`Postgres::stop`] or [`Postgres::kill9`], on the same port and data.
    pub async fn start_again(&self) {
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let child = as_server("postgres")
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .arg("-k")
            .arg(self.directory.path())
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "shared_buffers=128MB"])
            .args(["-c", "max_wal_size=2GB", "-c", "checkpoint_timeout=15min", "-c", "log_line_prefix=%m %d %a "])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.directory.note("postgres", child.id());
        *self.server.lock().unwrap() = Some(child);
        eventually("PostgreSQL accepts connections", async || {
            if let Some(Ok(Some(status))) = self.server.lock().unwrap().as_mut().map(Child::try_wait) {
                panic!("PostgreSQL ended with {status}:\n{}", self.log());
            }
            let client = connect(&self.admin_url()).await.map_err(|error| error.to_string())?;
            client.simple_query("select 1").await.map_err(|error| error.to_string())
        })
        .await;
    }

    /// An administrator's URL: the database `postgres`.
    pub fn admin_url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// A fresh, migrated database in this instance.
    pub async fn fresh(&self) -> Database {
        Database::fresh_at(&self.admin_url()).await
    }

    /// Fast shutdown, as a restart by an administrator does it: sessions are ended, everything is written.
    pub fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Immediate shutdown: no checkpoint, crash recovery at the next start.
    pub fn stop_immediately(&self) {
        self.end(Signal::QUIT);
    }

    /// `kill -9` of the postmaster and every backend, as a power cut does it.
    pub fn kill9(&self) {
        let postmaster = self.server.lock().unwrap().as_ref().map(Child::id);
        let Some(postmaster) = postmaster else { return };
        let backends = children_of(postmaster);
        self.end(Signal::KILL);
        for pid in backends.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
        }
        // The shared memory of a killed postmaster is refused to its successor while a backend holds it.
        while backends.iter().any(|pid| Path::new(&format!("/proc/{pid}/cmdline")).exists()) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Stands still, every process of it (`SIGSTOP`), until [`Postgres::wake`]: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on after [`Postgres::freeze`].
    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        crate::process::tail(&std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default(), 60)
    }

    fn signal(&self, signal: Signal) {
        let postmaster = self.server.lock().unwrap().as_ref().map(Child::id);
        let all = postmaster.into_iter().flat_map(|postmaster| {
            let mut all = vec![postmaster];
            all.extend(children_of(postmaster));
            all
        });
        for pid in all.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, signal);
        }
    }

    fn end(&self, signal: Signal) {
        let Some(mut child) = self.server.lock().unwrap().take() else { return };
        let _ = kill_process(Pid::from_child(&child), signal);
        let _ = child.wait();
        self.directory.forget("postgres");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.wake();
        self.stop_immediately();
    }
}

/// A database of one test's own.
#[derive(Debug, Clone)]
pub struct Database {
    url: String,
}

impl Database {
    /// A fresh, migrated database in the instance that the tests share.
    pub async fn fresh() -> Self {
        Self::fresh_at(&Self::shared_admin_url().await).await
    }

    /// A fresh database with nothing in it, not migrated, in the instance that the tests share.
    pub async fn empty() -> Self {
        let admin_url = Self::shared_admin_url().await;
        let admin = connect(&admin_url).await.unwrap();
        let name = format!("t_{}", unique());
        admin.batch_execute(&format!("create database {name}")).await.unwrap();
        Self { url: with_database(&admin_url, &name) }
    }

    /// The administrator's URL of the instance that the tests share; starts it when this is the first to ask.
    pub async fn shared_admin_url() -> String {
        match std::env::var("LYCHGATE_TEST_DATABASE") {
            Ok(url) => url,
            Err(_) => SHARED.get_or_init(Postgres::start).await.admin_url(),
        }
    }

    async fn fresh_at(admin_url: &str) -> Self {
        let admin = connect(admin_url).await.unwrap();
        // One test migrates the template, the others wait for it; a server copies one template at a time anyway.
        admin.batch_execute("select pg_advisory_lock(7411)").await.unwrap();
        let template = "lychgate_template";
        let known = "select 1 from pg_database where datname = $1 and datistemplate";
        if admin.query(known, &[&template]).await.unwrap().is_empty() {
            admin.batch_execute(&format!("drop database if exists {template}")).await.unwrap();
            admin.batch_execute(&format!("create database {template}")).await.unwrap();
            let settings = StoreSettings::new(Secret::new(with_database(admin_url, template)));
            Store::open(&settings, Clock::system()).unwrap().migrate().await.unwrap();
            admin.batch_execute(&format!("alter database {template} is_template true")).await.unwrap();
        }
        let name = format!("t_{}", unique());
        admin.batch_execute(&format!("create database {name} template {template}")).await.unwrap();
        Self { url: with_database(admin_url, &name) }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same database, entered as another role.
    #[must_use]
    pub fn as_role(&self, role: &str) -> Self {
        Self { url: self.url.replacen("//postgres@", &format!("//{role}@"), 1) }
    }

    /// A connection to it.
    pub async fn connect(&self) -> Client {
        connect(&self.url).await.unwrap_or_else(|error| panic!("{}: {error}", self.url))
    }

    /// One number from one row.
    pub async fn count(&self, sql: &str) -> i64 {
        self.connect().await.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// The first column of every row, as text.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.connect().await.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_default()).collect()
    }
}

/// The URL of a fresh, migrated database in the instance that the tests share.
pub async fn fresh() -> String {
    Database::fresh().await.url
}

/// Connects, and drives the connection until the client is dropped.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn with_database(admin_url: &str, name: &str) -> String {
    let (base, query) = admin_url.split_once('?').unwrap_or((admin_url, "sslmode=disable"));
    let (server, _) = base.rsplit_once('/').unwrap();
    format!("{server}/{name}?{query}")
}

/// PostgreSQL's programs, as the product finds them.
fn programs() -> PathBuf {
    let named = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&named).find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists());
    let installed = || {
        let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().collect();
        versions.sort_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
        versions.pop().map(|entry| entry.path().join("bin"))
    };
    found.or_else(installed).expect("no PostgreSQL found: install `postgresql`, or put its bin directory on PATH")
}

/// One of PostgreSQL's programs, as a user whom it accepts: it refuses root.
fn as_server(program: &str) -> Command {
    let program = programs().join(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = server_user();
    command.args([&format!("--reuid={user}"), "--regid", user, "--clear-groups"]).arg(program).current_dir("/");
    command
}

fn server_user() -> &'static str {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn children_of(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
